"""What an analysis says in words. Every sentence is built together with the ids of what it rests on."""
