//! On the way.
