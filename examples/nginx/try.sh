# Runs the example with an emulator as its gateway. The emulator also sends a message of a customer:
#
#   waba emulator --say Hello --log --webhook-ca-file cert.pem -- sh try.sh
#
# On Debian's nginx: sh try.sh debian.conf. The emulator sets D360_API_KEY, WABA_BASE_URL and WABA_CA_FILE; the last one
# replaces the system's certificate authorities.
set -eu
cd "$(dirname "$0")"
configuration=${1:-nginx.conf}
server=openresty
[ "$configuration" = nginx.conf ] || server=nginx

export WEBHOOK_USER=bot WEBHOOK_PASSWORD=secret-word
WABA_WEBHOOK_PASSWORD=$WEBHOOK_PASSWORD waba webhook set https://localhost:8443/webhook --user "$WEBHOOK_USER"
cat "$WABA_CA_FILE" >emulator_ca.pem # a copy that the workers' user can read
sed "s|/etc/ssl/certs/ca-certificates.crt|emulator_ca.pem|" "$configuration" >emulator.conf
unset LUA_PATH LUA_CPATH # set by `make env`, for another Lua
PATH=$PATH:/usr/sbin exec "$server" -p "$PWD" -c emulator.conf -g "daemon off;"
