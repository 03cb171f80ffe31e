"""Many pictures: a record for each, on one machine or over a Ray cluster."""
