"""The floor: the types and schemas that cross the walls between the rooms."""
