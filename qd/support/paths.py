"""Kinds of settings that name what must be on the disk: a missing one is refused before the component is imported.

``qd.config.declared`` knows them by these names, from a component's source.
"""

ExistingFile = str
ExistingFolder = str
