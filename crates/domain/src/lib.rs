//! Our nouns and their rules: case, proposal, action, effect, facts, verdict, approval, execution, audit.
