"""Many pictures: one record for each, on one machine or on a Ray cluster."""
