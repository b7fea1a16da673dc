"""Where Rushes lives: objects, documents and the bus, each a Protocol with its adapters."""
