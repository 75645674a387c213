//! What is delivered beside the program.
