//! The gate's judgement: Cedar policy sets, facts in, verdict out.
