"""What becomes of incidents: which alarms belong together, what a status change means, when an answer is made anew."""
