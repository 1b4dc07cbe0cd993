-- Makes a folder with the layout of an OpenResty installation, from Debian's LuaJIT and Debian's nginx with the Lua
-- module. The program `resty` in the folder runs a file inside this nginx.

local process = require "spec.support.process"

local openresty = {}

-- The script `nginx` changes a configuration for Debian's nginx: loads the Lua module, adds site/lualib to the search
-- path, and removes the directives `resolver local=on` and `http2`, which older versions of nginx do not have.
local NGINX = [[#!/bin/bash
root=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd) nginx=$(PATH=$PATH:/usr/sbin command -v nginx)
version=$($nginx -v 2>&1 | sed 's/.*nginx.//') modules=$($nginx -V 2>&1 | tr ' ' '\n' | sed -n 's/^--modules-path=//p')
globals="load_module $modules/ndk_http_module.so; load_module $modules/ngx_http_lua_module.so;"
words=() prefix=. file=
while [ $# -gt 0 ]; do
  case $1 in
    -g) globals="$globals $2"; shift ;;
    -p) prefix=$2; words+=(-p "$2"); shift ;;
    -c) file=$2; shift ;;
    *) words+=("$1") ;;
  esac
  shift
done
case $file in /*) ;; *) file=$prefix/$file ;; esac
older=$(printf '%s\n' 1.25.1 "$version" | sort -V | head -n 1)
sed -e 's/resolver local=on/resolver 127.0.0.1/' -e "$([ "$older" = 1.25.1 ] || echo 's/^ *http2 on;.*//')" "$file" >"$file.debian"
export LUA_PATH="$root/site/lualib/?.lua;$root/site/lualib/?/init.lua;;" LUA_CPATH="$root/site/lualib/?.so;;"
exec "$nginx" -g "$globals" "${words[@]}" -c "$file.debian"
]]

-- The script `resty` replaces OpenResty's `resty`: the script starts an nginx whose worker runs a file in a timer, with
-- the arguments in the table `arg`.
local RESTY = [[#!/bin/bash
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd) http=
while [ "${1#-}" != "$1" ]; do
  case $1 in --http-conf) http=$2; shift ;; esac
  shift
done
folder=$(mktemp -d) count=0
mkdir "$folder/logs"
for word in "$@"; do printf %s "$word" >"$folder/arg.$count"; count=$((count + 1)); done
cat >"$folder/nginx.conf" <<END
daemon off; master_process off; worker_processes 1; pid logs/nginx.pid; error_log stderr crit;
$(env | sed -n 's/^\([A-Za-z_][A-Za-z_0-9]*\)=.*/env \1;/p')
events {}
http {
  access_log off;
  $http
  init_worker_by_lua_block {
    print = function(text) io.stdout:write(tostring(text), "\n") end
    arg = {}
    for i = 0, $count - 1 do
      local file = io.open("$folder/arg." .. i)
      arg[i] = file:read "*a"
      file:close()
    end
    ngx.timer.at(0, function()
      local ok, err = xpcall(assert(loadfile(arg[0])), debug.traceback)
      if not ok then io.stderr:write(tostring(err), "\n") end
      os.exit(ok and 0 or 1)
    end)
  }
}
END
"$root/nginx/sbin/nginx" -p "$folder" -c nginx.conf
code=$?
rm -rf "$folder"
exit $code
]]

local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  process.run("chmod 755 " .. process.quote(path))
end

--- Makes the installation in a folder.
function openresty.lay_out(root)
  local quoted = process.quote(root)
  process.run(("mkdir -p %s/bin %s/lualib %s/site/lualib %s/nginx/sbin %s/luajit/bin %s/luajit/include"):format(
    quoted, quoted, quoted, quoted, quoted, quoted))
  process.run(("ln -s $(command -v luajit) %s/luajit/bin/luajit"):format(quoted))
  process.run(("ln -s $(pkg-config --variable=includedir luajit) %s/luajit/include/luajit-2.1"):format(quoted))
  write(root .. "/nginx/sbin/nginx", NGINX)
  write(root .. "/bin/resty", RESTY)
end

return openresty
