"""Nothing is lost: many uploads on the Google emulators while everything goes wrong."""
