//! The rules of the house, kept by reading the sources.
