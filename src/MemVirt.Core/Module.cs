// Nothing here reads a local that it has not set; clearing them is what a walk would spend most of its prologue on.
[module: System.Runtime.CompilerServices.SkipLocalsInit]
