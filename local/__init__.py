"""The local cloud: the app deployed to an embedded AWS, with fakes of its vendors."""
