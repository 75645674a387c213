"""The parts of benches/compare: one file, one job."""
