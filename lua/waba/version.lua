--- The version of the library. The Makefile reads it from here and gives it to the C modules.
return "1.0.0"
