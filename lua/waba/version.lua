-- The version of the library. The Makefile passes the version in this file to the C modules.
return "1.0.0"
