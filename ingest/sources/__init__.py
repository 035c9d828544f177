"""Where bytes come from: sockets, scrapes, recordings, case folders."""
