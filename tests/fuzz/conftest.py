"""How long to fuzz: a bounded time in the suite, and many examples with the profile `fuzz`."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

SLOW_INPUTS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

settings.register_profile(
    "fuzz", deadline=None, max_examples=1500, suppress_health_check=SLOW_INPUTS, print_blob=True
)
