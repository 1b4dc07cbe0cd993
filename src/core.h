/* The functions of waba.core that are not defined in core.c. annotations/core.lua describes them. */
#pragma once

#include <lua.h>
#include <stdbool.h>

int can_yield(lua_State *L);
int credentials_new(lua_State *L);
int credentials_redact(lua_State *L);
int file_absolute_path(lua_State *L);
int file_can_write(lua_State *L);
int file_free_space(lua_State *L);
int file_identity(lua_State *L);
int file_make_private(lua_State *L);
int file_mode(lua_State *L);
int file_new(lua_State *L);
int header_secret_new(lua_State *L);
int headers_function(lua_State *L);
int ready_head_new(lua_State *L);
int response_head_function(lua_State *L);
int sha256_hmac_function(lua_State *L);
int sha256_new(lua_State *L);
int terminal_hold_interrupt(lua_State *L);
int terminal_interrupted(lua_State *L);
int terminal_is_terminal(lua_State *L);
int terminal_size(lua_State *L);

/* Registers the classes of a file. */
void credentials_register(lua_State *L);
void file_register(lua_State *L);
void ready_head_register(lua_State *L);
void sha256_register(lua_State *L);

/* Sets `encode`, `decode`, `plain`, `picker` and `null` in the table at the top of the stack. */
void json_register(lua_State *L);

/* Pushes a table with the headers in the lines between `at` and `end`. Each line ends with CR LF. Names are in lower
 * case, and the values of a repeated name are joined with ", ". Returns false, with an incomplete table, if a line has
 * no name, no colon or no CR LF. If `is_strict` is true, also returns false for a name with white space or a control
 * character, and for a value with a CR. waba.curl contains this function too. */
bool response_head_push_headers(lua_State *L, const char *at, const char *end, bool is_strict);
