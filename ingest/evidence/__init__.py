"""From what was seen to what is unusual: metrics, logs, alarms, states and changes as evidence of one kind."""
