"""Images, local stacks and the emulators: what Rushes runs on."""
