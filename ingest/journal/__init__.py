"""Between receiving and processing: what was received is durable here before anyone is told so."""
