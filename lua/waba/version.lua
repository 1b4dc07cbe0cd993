--- The version of the library. The Makefile reads this file and passes the version to
--- the C modules.
return "1.0.0"
