"""A store kept small and kept from harm, on command."""
