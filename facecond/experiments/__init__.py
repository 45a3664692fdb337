"""The paper's tables and figures, each a row of commands."""
