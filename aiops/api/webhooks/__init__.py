"""What happens to incidents, told to other systems: signed, tried again, never twice under another id."""
