"""What each command of `lookout` does; imported only when it is called, so that help is quick."""
