"""The domain: pure functions over arrow tables and arrays. No Dagster, no clock, no environment, no network."""
