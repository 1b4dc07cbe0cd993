-- The version of the library. The Makefile reads it from this file for the C modules.
return "1.0.0"
