/* Walks over Lua values that are to become JSON or come from it. All work on the value on the top of the
 * stack and read tables raw; none calls back into Lua. */
#ifndef WABA_JSON_VALUE_H
#define WABA_JSON_VALUE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* cjson counts bytes with int and writes up to six for one: more would overflow. */
#define JSON_ENCODE_SIZE_MAX ((size_t)64 << 20)

struct json_survey {
  size_t size;       /* about what the text will have */
  bool long_numbers; /* some number needs more digits than cjson writes */
};

/* Walks over the value. False: something is wrong with it; the stack is then higher than before.
 * Whether text is UTF-8 is not looked at. */
bool json_survey(lua_State *L, struct json_survey *survey);

/* Looks for the first fault of the value, in arrays from the front. Leaves [.. message path] and returns
 * true, or leaves the stack as it was. */
bool json_explain(lua_State *L);

/* Replaces the value by a copy in which strings stand for the numbers that cjson would shorten. The
 * value was surveyed and its text is UTF-8. */
void json_mark_numbers(lua_State *L);

/* Replaces the text that cjson made of such a copy by one with the numbers. */
void json_unmark_numbers(lua_State *L);

/* Makes whole numbers integers, where Lua has them. False: a number is infinite; the stack is then
 * higher than before. */
bool json_settle(lua_State *L);

#endif
