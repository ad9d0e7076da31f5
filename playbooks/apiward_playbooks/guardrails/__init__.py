"""Written limits: what may be changed, how, when, how often and with whose consent. They fail closed."""
