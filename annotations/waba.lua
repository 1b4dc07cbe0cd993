---@meta
-- What `require "waba"` offers, for editors. Written by scripts/module_annotations.lua; the library does not
-- load this file.

---@class waba
---@field _VERSION string
---@field inbox waba.InboxBackends
---@field emulator waba.EmulatorModule
---@field migrate waba.MigrateModule
---@field outbox waba.OutboxBackends
---@field pace waba.PaceBackends
---@field webhook waba.WebhookModule
local waba = {}

---@class waba.EmulatorModule
local emulator = {}

---@class waba.WebhookModule
---@field server fun(options: waba.WebhookServerOptions): waba.WebhookServer|nil, string?
---@field nginx waba.WebhookNginx
local webhook = {}

---@class waba.WebhookNginx
local nginx = {}

--- The data of a customer.
---@class waba.emulator.CustomerOptions
---@field name? string
---@field user_id? string  the business-scoped user id (Cloud)
---@field username? string
---@field hidden? boolean  true: webhooks do not contain the phone number

--- The data of a contact.
---@class waba.emulator.ContactOptions
---@field status? "valid"|"invalid"|"failed"
---@field wa_id? string
---@field name? string
---@field user_id? string
---@field username? string

--- Describes how the next requests fail. With `delay` or `drop` alone, the usual response is late or not sent.
---@class waba.emulator.FailNext
---@field method? string  only requests with this method
---@field path? string  only requests to this path, which is a Lua pattern if it begins with ^
---@field type? string  only messages of this type
---@field times? integer  the number of requests that fail; default: 1
---@field share? number  0 to 1: a request fails only with this probability; the option `seed` makes the choice repeatable
---@field status? integer  the HTTP status
---@field code? integer  an error code of the platform, with its usual title and status
---@field title? string  the title of the error
---@field details? string|string[]  the details of the error; a list if `developer_message` is set
---@field errors? table[]  complete error objects
---@field developer_message? string  the text of an error of 360dialog's gateway
---@field body? string  the bytes of the response
---@field headers? table<string, string>  headers of the response
---@field delay? number  real seconds until the response
---@field drop? "before"|"after"  closes the connection without a response, before or after the request takes effect
---@field accept? boolean  true: the request takes effect although the response is an error

--- Describes how the next messages fail after the gateway has accepted them. `code` or `errors` is required.
---@class waba.emulator.FailStatus
---@field code? integer  an error code of the platform
---@field title? string  the title of the error `code`
---@field details? string  the details of the error `code`
---@field errors? table[]  complete error objects
---@field to? string  only messages to this recipient
---@field type? string  only messages of this type
---@field times? integer  the number of messages that fail; default: 1
---@field share? number  0 to 1: a message fails only with this probability; the option `seed` makes the choice repeatable
---@field after? "sent"|"delivered"  the last status that is reported before "failed"
---@field status? string  "warning": the last status is "warning" instead of "failed"

--- The result of the review of a template.
---@class waba.emulator.ReviewOptions
---@field language? string  the language of the translation; default: all translations
---@field reason? string  the reason why the template is rejected

--- Selects the messages to hold.
---@class waba.emulator.HoldOptions
---@field language? string  the language of the translation; default: all translations

--- The health that the gateway reports.
---@class waba.emulator.HealthOptions
---@field shape? "single"|"high_availability"|"multiconnect"  On-Premise: the kind of installation
---@field status? string  On-Premise: the status of every node; Cloud: the status of the phone number: "AVAILABLE", "LIMITED" or "BLOCKED"
---@field nodes? table  On-Premise: complete nodes, by the name of a node or a part of the name
---@field errors? table  On-Premise: errors that are returned instead of `health`
---@field meta? boolean  On-Premise: whether the response has `meta`; default: true
---@field entities? table  Cloud: the fields of entities, by the type of the entity
---@field fields? table  Cloud: the fields of the phone number

--- The options of each message of a customer.
---@class waba.emulator.InboundOptions
---@field reply_to? string  the id of the quoted message
---@field forwarded? boolean  true: the customer has forwarded the message
---@field frequently_forwarded? boolean  true: the message was forwarded many times
---@field referred_product? { catalog_id: string, product_retailer_id: string }  the product that the message is about
---@field referral? table  the advertisement that the message came from, in the platform's form
---@field mentions? string[]  the mentioned users
---@field errors? table[]  the errors in the webhook
---@field identity? table  the identity of the customer
---@field timestamp? integer  Unix seconds; default: the emulator's current time
---@field id? string  the id of the message; an id that was used before makes a duplicate
---@field profile? boolean  false: the webhook has no `contacts`
---@field fields? table  further fields of the message, such as fields that the platform may add later
---@field standby? boolean  true: another sender controls the conversation, so the webhook has the field "standby" (Cloud)

--- A file that a customer sends: `data` or `file` is required, unless the file is `undownloaded`.
---@class waba.emulator.CustomerMedia : waba.emulator.InboundOptions
---@field data? string  the bytes of the file
---@field file? string  the path of the file
---@field type? string  MIME type; default: the usual type of this kind of media
---@field caption? string  the text below the file
---@field filename? string  the name of a document
---@field metadata? table  the metadata of a sticker
---@field animated? boolean  true: the sticker is animated (Cloud)
---@field undownloaded? boolean  true: the WhatsApp client has not downloaded the file, so the webhook has no id

--- A filter for requests.
---@class waba.emulator.RequestFilter
---@field method? string
---@field path? string  the path; a text that begins with ^ is a Lua pattern
---@field status? integer  the status of the response
---@field since? integer  only entries whose sequence number is larger than this number

--- A filter for attempts to deliver webhooks.
---@class waba.emulator.WebhookFilter
---@field status? integer|false  the status of the receiver's response; false: there was no response
---@field attempt? integer  only requests with this number of the attempt; 1: the first attempt
---@field since? integer  only entries whose sequence number is larger than this number

--- A filter for messages.
---@class waba.emulator.MessageFilter
---@field direction? "outbound"|"inbound"
---@field type? string
---@field wa_id? string  the number of the customer
---@field id? string
---@field since? integer  only entries whose sequence number is larger than this number

--- The options of `waba.emulator.start`.
---@class waba.EmulatorOptions : waba.EmulatorProcessOptions
---@field interpreter? string  the Lua interpreter that runs the process; default: the program's own
---@field start_timeout? number  seconds to wait until the process listens; default: 10
---@field sleep? fun(seconds: number)  the function that `wait` calls to sleep; default: detected

--- The options of the emulator's process.
---@class waba.EmulatorProcessOptions
---@field api_key? string  the key that the gateway accepts; default: a random one
---@field number? string  the business number of the key; default: 49305550199
---@field host? string  the address to listen on; default: 127.0.0.1
---@field port? integer  the port to listen on; 0: any free port; default: 0
---@field tls? boolean  serves HTTPS, with a certificate of a new authority; default: true
---@field authority? string  a folder that keeps the authority, so that each start has the same CA file
---@field record? string  a file to which a line of JSON is appended for each message before the response is sent: hosting, id, to, type, content, at
---@field log? boolean  prints a line on standard error for each request and each webhook; default: false
---@field ui? boolean  serves a page for the browser, with a phone for each customer; prints the page's URL; default: false
---@field ui_port? integer  the port of this page; 0: any free port; default: 0
---@field say? string  a text that the customer 491511234567 sends when a webhook URL is set
---@field client_version? string  the version of the WhatsApp client. Below 2.39.1 a contact must be checked before a message is sent to it; below 2.41 a template needs its namespace; below 2.43 the contacts check reports who is a WhatsApp user; below 2.45 statuses have recipient_id at the top level; default: 2.53.1
---@field statuses? { sent: number?, delivered: number?, read: number?, played: number? }|false  seconds from a message to each of its statuses (played: voice notes on Cloud); a missing status is never sent; false: none
---@field recipient_id? "message"|"top"|"both"  where a status has its recipient: message, top or both; default: as in the client version
---@field window? boolean  messages without a template fail outside the 24-hour window (470; Cloud: 131047); default: false
---@field templates? string|table[]  the templates of the account: "any" (each name is accepted; a few have a definition), or a list of templates in the form of the platform (only these are accepted), or a folder of such templates, as waba templates pull writes it; default: any
---@field namespace? string  the template namespace of the account; default: 9c1f0b52_4d7e_4a11_8f3d_2b6a7c5d1e90
---@field review? number|false  seconds after which a created template is approved; false: the program calls review_template; default: false
---@field catalogs? table<string, string[]>  the product ids by catalogue id; default: all exist
---@field contacts? table<string, string|table>  the status of numbers: "valid", "invalid", "failed", or { status, wa_id, name }
---@field contact_check? number  seconds of a contacts check without `wait`; default: 0.1
---@field require_webhook? boolean  refuses messages with 1022 until a webhook URL is set; default: false
---@field max_media? integer  bytes of the largest upload; default: 67108864
---@field strict_media? boolean  refuses uploaded images and stickers that WhatsApp could not show; default: false
---@field rate_limits? boolean|table  refuses requests above the platform's rates. On-Premise: 50 messages per second (150 at once) and 20 other requests (60 at once). Cloud: 80 messages per second, one in 6 seconds to each recipient (45 at once), 25 uploads per second. Or a table of { rate, burst }: messages, other; Cloud: pair and media too; default: false
---@field sandbox? boolean|string  behaves as 360dialog's sandbox for this phone number: only this number, texts and text templates, 200 messages, 10 templates, no media; true: for the first recipient; default: false
---@field webhooks? waba.EmulatorWebhookOptions  how webhooks are delivered
---@field numbers? waba.EmulatorProcessOptions[]  the business numbers, each with the options that differ from the others: number, api_key, webhooks, templates …; the first one is the emulator's own
---@field seed? integer  the seed of random failures; default: 1
---@field keep? integer  the number of requests, messages and deliveries that are stored; default: 10000
---@field start? number  the Unix time at the start of the clock; default: the current time
---@field cloud? waba.EmulatorCloudOptions|waba.EmulatorProcessOptions  options for the Cloud gateway only

--- Further options of the Cloud gateway. The option `cloud` may also contain all other options; options in `cloud`
--- apply to the Cloud gateway only. Outside of `cloud`, the options api_key, number and port apply to the
--- On-Premise gateway only. By default, the Cloud gateway has a random key, the number 49305550277 and any free port.
---@class waba.EmulatorCloudOptions
---@field phone_number_id? string  the id of the number; default: 40110022003
---@field waba_id? string  the id of the WhatsApp business account; default: 30220099001
---@field business_id? string  the id of the business; default: 70030011002
---@field verified_name? string  the name that customers see; default: Emulated Business
---@field secret? string  the secret of the webhooks' signature, the header X-Hub-Signature-256
---@field media_block? { errors: integer, within: number, seconds: number }|false  after `errors` error responses to GET /{media-id} in `within` seconds, media is blocked for `seconds`

--- The options for the delivery of webhooks.
---@class waba.EmulatorWebhookOptions
---@field url? string  the webhook URL at the start
---@field headers? table<string, string>  the headers of the webhooks to this URL
---@field timeout? number  seconds to wait for a response; default: 5
---@field concurrency? integer  the largest number of deliveries at the same time; default: 6
---@field backoff? number  seconds that each failure adds to the delay; default: 3
---@field max_backoff? number  the longest delay in seconds; default: 900
---@field give_up? number  seconds after which a delivery ends without success; default: 86400
---@field batch? integer  the largest number of waiting events in one body; default: 1
---@field keep_alive? boolean  uses a connection for several deliveries; default: true
---@field ca_file? string  PEM file of authorities to trust besides the system's
---@field duplicates? number  the share of deliveries (0 to 1) that are sent twice; default: 0
---@field reorder? number  the share of deliveries (0 to 1) that are sent after later ones; default: 0

--- The options of `client:send_all`.
---@class waba.BulkOptions
---@field concurrency? integer  the largest number of messages in flight. Fewer messages are in flight if the client's rate limit would delay a message by more than half of its timeout; default: 64
---@field rate? number  the largest number of messages per second, besides the client's rate limit; not with an outbox
---@field on_result? fun(key: any, sent: waba.Sent|nil, err: waba.Error|nil, to: any)  called once for each message, in the order of the responses. If the process ends during a call for an uncertain result, the next run calls the function again for the same result. If the function raises an error, the run ends after the messages in flight, and `send_all` raises the error
---@field journal? string  path of a file to which the results are written, so that a later run can continue this run. Only one run at a time can use the file
---@field campaign? string  a name for the messages, for example the name of the template; 1 to 1024 bytes. A journal has separate results for each campaign, so another campaign sends to every recipient again. The results of runs without a campaign count for every campaign. The option requires `journal` or `outbox`
---@field outbox? waba.Outbox  the run puts the messages into this outbox, and waits for the results. Senders in any process send the messages. The option requires `campaign`, so that after a crash another run of the same campaign can continue this run. With an outbox, `on_result` is called only for messages that the outbox refuses; a sender reports the other results
---@field number? string|integer  with an outbox: the business number that sends the messages
---@field unique? boolean  true: sends only the first message to each recipient, also if another form of the number is used; further messages are counted as `duplicates`. The option needs memory for each recipient
---@field suppress? waba.Receiver  a receiver that stores which customers want no marketing messages. Marketing templates to customers who want none are not sent, but counted as `suppressed`, and `on_result` gets an error of kind "blocked". With an outbox, the customers are checked before the messages are put into the outbox; a sender with the option `suppress` checks them again before it sends
---@field marketing? boolean  only with `suppress`. true: all templates are for marketing; false: no templates are. Default: a template is for marketing if the client has its definition and the category is marketing
---@field retry_failed? boolean  true: sends messages again that failed in an earlier run of the journal
---@field retry_maybe_sent? boolean  true: sends messages again whose result in an earlier run is uncertain
---@field stop? fun(): any  called several times a second. If the function returns true, the run ends after the messages in flight, and the summary has `stopped`. In nginx the function can be `ngx.worker.exiting`
---@field total? integer  the expected number of messages, from which `seconds_left` for `on_progress` is estimated
---@field on_progress? fun(figures: waba.BulkFigures)  called at most twice a second, and at the end
---@field timeout? number  seconds for each message; default: the client's `timeout`
---@field send? waba.SendOptions  the options of `client:send` for each message
---@field patience? number  seconds for which the run waits while the gateway is unreachable or overloaded; then the run ends with an error. 0, or a client without retries: the run does not wait; default: 300

--- The options of `client:estimate`.
---@class waba.EstimateOptions
---@field rate? number  the largest number of messages per second, besides the client's rate limit
---@field concurrency? integer  the largest number of messages in flight; default: 64
---@field latency? number  seconds that the gateway needs for each message; default: 0.2

--- The options of `client:mark_read`.
---@class waba.ReadOptions
---@field typing? boolean  true: shows the customer a typing indicator for up to 25 seconds (Cloud hosting only)

--- The options of `waba.client`.
---@class waba.ClientOptions
---@field api_key? string  the D360-API-KEY of the phone number; default: the environment variable D360_API_KEY
---@field hosting? "on_premise"|"cloud"  the gateway; default: the environment variable WABA_HOSTING, else "on_premise"
---@field sandbox? boolean  true: the gateway is 360dialog's sandbox; default: false
---@field base_url? string  the URL of another gateway, such as the emulator; overrides the URL of hosting and sandbox. Default: the environment variable WABA_CLOUD_BASE_URL (hosting "cloud" only), else WABA_BASE_URL, else the URL of the hosting
---@field timeout? number  seconds for a call, including all waits and retries; default: 30
---@field connect_timeout? number  seconds to establish a connection; default: 10
---@field ca_file? string  PEM file of the certificate authorities to trust instead of the system's; default: the environment variable WABA_CA_FILE
---@field proxy? string  URL, such as http://user:password@host:3128; "": no proxy; default: the environment variables https_proxy and all_proxy
---@field namespace? string  the default namespace of templates
---@field transport? string|waba.Transport  "curl", "ngx", or a table with a method `send`; default: "ngx" inside nginx, else "curl"
---@field loop? string  the event loop of the curl transport: "blocking", "native", "cqueues", "luv" or "copas"; default: detected; "luv" is never detected
---@field expect_number? string|integer  the phone number of the key. Before its first request, the client requests the key's phone number from the gateway. All calls return an error of kind "auth" if the two phone numbers differ
---@field retry? waba.RetryOptions|false  when a failed request is sent again; false: no request is sent again
---@field pace? waba.PaceOptions|false  the rate limits; default: the published rates of the hosting; false: none
---@field ordered? boolean|waba.OrderedOptions  delays a message until the previous message to the recipient was accepted, or delivered; default: false
---@field validate? boolean|"documented"  true: checks messages before they are sent; "documented": checks only the rules that the platform documents; default: true
---@field max_connections? integer  the largest number of connections to one host, for the curl transport; 1 to 1000; default: 16
---@field on_event? fun(event: waba.CallEvent)  called for each call, for logs, traces and metrics; events contain no secret

--- How often a failed request is sent again, and how long the pauses between the attempts are.
---@class waba.RetryOptions
---@field attempts? integer  attempts of one request, including the first one; default: 4
---@field base? number  seconds: the longest pause before the second attempt; each pause has a random length; default: 0.5
---@field max? number  seconds: the longest pause, unless the gateway demands a longer pause; default: 30
---@field ambiguous? boolean  true: also repeats a request that the gateway may have accepted; default: false

--- The rate limits of one API key; false: no limit. Clients of one process that have the same key and the same rates
--- share the limits. If several processes use one key, such as the workers of nginx, set the option `store`, or divide
--- the rates among the processes.
---@class waba.PaceOptions
---@field messages? waba.Rate|false  requests that send a message
---@field other? waba.Rate|false  all other requests
---@field media? waba.Rate|false  uploads, on Cloud hosting
---@field pair? waba.Rate|false  messages to one recipient
---@field store? waba.PaceStore  the result of waba.pace.shared_dict or waba.pace.redis: all processes with this store share the limits of a key

--- A rate limit.
---@class waba.Rate
---@field rate number  required: requests per second
---@field burst integer  required: the number of requests that may be sent at once after a pause

--- The options for keeping messages to one recipient in order.
---@class waba.OrderedOptions
---@field receiver? waba.Receiver  a receiver that handles statuses in this process. The next message waits until a status reports that the previous message was delivered, was read or failed
---@field tracker? waba.StatusTracker  instead of `receiver`: a tracker to which the program applies the statuses
---@field timeout? number  seconds after which the next message is sent without a status of the previous message; default: 10

--- The options of `waba.clients`. Options of `waba.client` apply to all clients; `load` can override them for a client.
---@class waba.ClientsOptions : waba.ClientOptions
---@field load fun(number: string, event: waba.Event|nil): waba.ClientOptions|nil  required: returns the options of a number, including its api_key; nil for an unknown number. May wait; coroutines that need the number meanwhile get the result of this call. If the gateway refuses the key with 401, `load` is called again, because the key may have changed. In the second call, `event` has only `hosting`, `number`, `phone_number_id` and `waba_id`
---@field max? integer  before a client is made, the least recently used clients are closed until fewer than this number are open; clients in use stay open; default: 1000
---@field verify? boolean  true: before its first request, each client checks that its key belongs to the number. If the key belongs to another number, all calls return an error of kind "auth"; default: false

--- A request to a path of the gateway.
---@class waba.RequestOptions
---@field method? string  the HTTP method; default: "GET"
---@field path string  required: the path, which begins with "/" and is percent-encoded
---@field query? table  the query parameters by name
---@field body? any  the body of the request: a string is sent unchanged, any other value as JSON
---@field media_type? string  the MIME type of the body; default: application/json
---@field timeout? number  seconds; default: the client's `timeout`

--- The options of a message that is sent now or is put into an outbox.
---@class waba.MessageOptions
---@field reply_to? string  id of the message to quote (Cloud hosting only)
---@field identity_key_hash? string  the platform delivers the message only if this is the hash of the recipient's identity (Cloud hosting only)
---@field marketing? boolean|{ product_policy: string?, message_activity_sharing: boolean?, bid_spec: table? }  true: sends a marketing template with POST /marketing_messages (Cloud hosting only)
---@field category? string  "utility" or "authentication": sends a text or an interactive message outside the 24-hour window without an approved template (Direct Send; Cloud hosting only)
---@field ttl_seconds? integer  with category: the platform tries to deliver the message for 30 to 43200 seconds; for authentication at most 900
---@field direct_send_config? { template_name: string }  with category: the name of the template that the platform creates
---@field check_contact? boolean  true: if the gateway does not know the phone number, the client checks the contact. The client then sends the message to the wa_id in the result (On-Premise hosting only)
---@field timeout? number  seconds; default: the client's `timeout`

--- The options for sending one message.
---@class waba.SendOptions : waba.MessageOptions
---@field data? string  a text of at most 512 characters; each status of the message contains the text (Cloud hosting only)
---@field bulk? boolean  true: all waiting messages without `bulk` are sent first
---@field ordered? boolean|waba.OrderedOptions  replaces the client's option `ordered` for this message
---@field window? waba.Receiver  a receiver that knows the 24-hour windows. If the recipient's window is closed, only templates are sent; `send` returns an error of kind "window" for other messages
---@field otherwise? waba.Message  with `window`: a template that is sent instead of the message if the window is closed. The gateway can report a closed window in its response or in a later status
---@field before_attempt? fun(): true|nil, waba.Error?  called before each attempt, when the rate limiter has admitted the message; may wait. If the function returns `nil, err`, the message is not sent, and `send` returns `nil, err`
---@field before_retry? fun(err: waba.Error)  called before the wait for the next attempt, if the last attempt certainly did not send the message

--- The limits of a server. A peer is an IPv4 address or an IPv6 /64 network. The limits of a peer count only
--- connections without valid credentials.
---@class waba.ServerLimits
---@field connections? integer  the largest number of open connections in total; default: 512
---@field peer_connections? integer  the largest number of open connections of one peer; default: 256
---@field peer_bodies? integer  the largest number of incomplete bodies of one peer; default: 64
---@field held_bytes? integer  the largest number of bytes in memory for all bodies; default: 64 * 1024 * 1024
---@field peer_held_bytes? integer  the largest number of bytes in memory for one peer's bodies; default: 16 * 1024 * 1024
---@field request_seconds? number  seconds in which a complete request must arrive; default: 30
---@field idle_seconds? number  seconds after which a connection without a request is closed; default: 60

--- The attempts to handle an event. The pause doubles after each failure. A random part of up to half is subtracted
--- from each pause.
---@class waba.InboxRetry
---@field attempts? integer  the number of attempts after which an event becomes a dead letter; default: 8
---@field base? number  the pause before the second attempt, in seconds; default: 1
---@field max? number  the longest pause in seconds; default: 300

--- A filter for events. A filter without fields selects all events that wait or are taken.
---@class waba.InboxFilter
---@field dead? boolean  true: selects dead letters; false, the default: selects events that wait or are taken
---@field id? string  selects the row with this id
---@field reason? string  selects rows whose reason contains this text
---@field before? number  Unix seconds: selects events that were stored, or became dead letters, before this time

--- The options that every inbox has.
---@class waba.InboxOptions
---@field retry? waba.InboxRetry  when the handlers of a failed event are called again
---@field remember? number  the seconds for which duplicates are recognised. The gateway repeats a webhook for 1 day on On-Premise hosting, and for 7 days on Cloud hosting; default: 7 * 86400

---@class waba.MemoryInboxOptions : waba.InboxOptions
---@field remember? number  the seconds for which duplicates are recognised; more seconds use more memory; default: 2 * 86400
---@field max? integer  the largest number of waiting events; `put` refuses further events; default: 100000
---@field seen? table|userdata  a shared dictionary of nginx (`ngx.shared.name`) for the keys of events, so that each worker recognises duplicates of events of all workers

---@class waba.SqliteInboxOptions : waba.InboxOptions, waba.SqliteFile
---@field sync? boolean  true: `put` returns after the events are written to the disk, so the events survive a power failure. The write blocks an nginx worker. false: the events survive a crash of the process, but not a power failure; default: true

---@class waba.RedisInboxOptions : waba.InboxOptions, waba.RedisAddress
---@field prefix? string  the prefix of all keys; an outbox needs another prefix. The braces keep all keys on one node of a cluster; default: "{waba}"
---@field group? string  an option of earlier versions; has no effect
---@field consumer? string  an option of earlier versions; has no effect

--- The options for running the handlers of a receiver.
---@class waba.WorkOptions
---@field concurrency? integer  the largest number of handlers that run at the same time. Outside of an event loop, a number above 1 starts an event loop, as `waba.run` does; default: 1
---@field batch? integer  the largest number of events that are taken in one call of the inbox, each of a different customer. If handlers are slow, at most one event for each free handler is taken; default: 64
---@field lease? number  after this many seconds without a renewal, another worker may take the event; default: 60
---@field forever? boolean  true: waits for events when none is due, and writes to standard error when the inbox can't be read; default: false
---@field interval? number  with `forever`: the seconds between two checks of an empty inbox; default: 0.25
---@field stop? fun(): boolean  called before each event; the result true ends the work. With `forever`, without `stop` and outside of an event loop, the work ends after SIGTERM, SIGINT or SIGHUP; a second signal ends the process
---@field on_more? fun()  called when more events are due than were taken; may wake another worker

--- The options of `waba.split`.
---@class waba.SplitOptions
---@field max? integer  the largest number of characters in a piece; a text message has at most 4096; default: 4096

--- A message to be sent.
---@class waba.OutboxEntry
---@field to string|integer|table  required: the recipient, as in `client:send`
---@field message table  required: a message, as builders return it
---@field number? string|integer  the business number or its phone_number_id; a sender selects the client by the number
---@field key? string|integer  the outbox stores only one message with this key and number
---@field at? number  Unix seconds; the message is not sent before this time
---@field bulk? boolean  true: the message is sent after all entries without `bulk`
---@field campaign? string  a name; `outbox:campaign` counts the results of all entries with this name
---@field options? waba.OutboxSendOptions  the options of the message

--- The options of `client:send` that an entry can have.
---@class waba.OutboxSendOptions : waba.MessageOptions
---@field data? string  a text that the statuses of the message contain (Cloud hosting only); at most 486 characters, because the outbox appends the id of the entry

---@class waba.MemoryOutboxOptions : waba.OutboxOptions
---@field max? integer  the largest number of waiting entries; `put` refuses further entries; default: 100000
---@field keep? number  the seconds for which states and keys are kept after an entry is finished; default: 86400

---@class waba.SqliteOutboxOptions : waba.OutboxOptions, waba.SqliteFile
---@field sync? boolean  true: the entries survive a power failure. `put` returns after the entries are written to the disk, and a sender writes to the disk before it sends a message. false: the entries survive a crash of the process, but after a power failure a message may be sent twice; default: true

---@class waba.RedisOutboxOptions : waba.OutboxOptions, waba.RedisAddress
---@field prefix? string  the prefix of all keys; an inbox needs another prefix. The braces keep all keys on one node of a cluster; default: "{waba:outbox}"

--- The options for sending messages in nginx.
---@class waba.NginxSenderOptions
---@field concurrency? integer  the largest number of messages in flight at once in each worker process; default: 16
---@field batch? integer  the largest number of entries that are taken in one call; default: 64
---@field lease? number  after this many seconds without a renewal, another sender may take the entry; default: 60
---@field interval? number  the seconds between two checks for entries that other processes have put; default: 1

--- The options that every outbox has.
---@class waba.OutboxOptions
---@field hosting? "on_premise"|"cloud"  the hosting whose rules check each message in `put`; default: the environment variable WABA_HOSTING, else "on_premise"
---@field keep? number  the seconds for which states and keys are kept after an entry is finished; default: 7 * 86400
---@field retry? waba.OutboxRetry  attempts and pauses for a message that was certainly not sent

--- How often, and after which pauses, a sender tries to send a message. The sender tries again only if the message was
--- certainly not sent. The cause of the failure must also be temporary: the gateway or the network was not available,
--- or the API key was refused. The pause doubles after each failure. A random part of up to half is subtracted from
--- each pause.
---@class waba.OutboxRetry
---@field attempts? integer  the number of attempts after which an entry has failed; default: 16
---@field base? number  the pause before the second attempt, in seconds; default: 1
---@field max? number  the longest pause in seconds; default: 300

--- A filter for dead letters. A filter without fields selects all dead letters.
---@class waba.OutboxFilter
---@field id? string  selects the dead letter with this id
---@field reason? string  selects dead letters whose reason contains this text
---@field before? number  Unix seconds: selects entries that became dead letters before this time

---@class waba.RedisPaceOptions : waba.PaceStoreOptions, waba.RedisAddress
---@field prefix? string  the prefix of all keys; after the prefix, a key has a colon and, in braces, a hash of the API key; default: "waba:pace"
---@field timeout? number  seconds to connect, and for each call; outside nginx, a call blocks the process; default: 0.5

---@class waba.SharedDictPaceOptions : waba.PaceStoreOptions
---@field name string  required: the name of the dictionary in the directive lua_shared_dict of nginx

--- The options of all stores of rate limits.
---@class waba.PaceStoreOptions
---@field unreachable? "continue"|"wait"  while the store can't be reached, "continue" sends at a share of the rates, and "wait" sends nothing; default: "continue"
---@field share? number  the share of the rates while the store can't be reached, at most 1. With the value 1/n, n processes together do not exceed the rates; default: 0.25
---@field on_error? fun(err: waba.Error)  called when the store can't be reached, at most once per second

--- The settings, in the platform's form. A field that the gateway omits is nil.
---@class waba.CallingSettings
---@field status? string  "ENABLED" or "DISABLED"
---@field call_icon_visibility? string
---@field call_hours? table
---@field callback_permission_status? string
---@field sip? { status: string?, servers: { hostname: string, port: integer? }[]? }
---@field video? { status: string? }

--- The settings. The gateway returns no value (nil) for a setting that was never set.
---@class waba.CommerceSettings
---@field is_cart_enabled? boolean
---@field is_catalog_visible? boolean

--- The options of `client.contacts:check`.
---@class waba.ContactsCheckOptions
---@field wait? boolean  true: the gateway responds when all results are known; false: a result may have the status "processing"; default: false
---@field force? boolean  true: the gateway also checks numbers that it has checked in the last 7 days; default: false

--- The elements of a chat: ice breakers, commands and the welcome message. `get` and `set` return all fields.
---@class waba.Automation
---@field enable_welcome_message? boolean  true: a webhook reports when a customer opens the chat for the first time
---@field prompts? string[]  ice breakers: at most 4, each with at most 80 characters and no emoji
---@field commands? { command_name: string, command_description: string }[]  at most 30; names have at most 32 characters, descriptions at most 256, without emoji

--- The destination of a download, and the verification of the file.
---@class waba.DownloadOptions
---@field file? string  path of the file to write; an existing file is replaced when the new one is complete
---@field sink? fun(bytes: string)  receives the bytes as they arrive; without file and sink, the bytes are returned
---@field sha256? string|false  the expected SHA-256 digest, hex or base64, as in the webhook; default on Cloud hosting: the digest that the platform reports; false: no comparison
---@field url? string  Cloud hosting: the URL of the file, as in the webhook; the download first tries this URL
---@field progress? fun(received: integer, total: integer|nil)  called while bytes arrive
---@field max_size? integer  the largest size of the file in bytes, after decompression; default: 100 MB
---@field max_body? integer  without file and sink: the largest size in bytes; has no effect if max_size is smaller
---@field timeout? number  seconds; default: ten times the client's `timeout`

--- The file to upload.
---@class waba.UploadOptions
---@field file? string  path of a file
---@field data? string  instead of `file`: the bytes of the file
---@field reader? fun(): string|nil  instead of `file` and `data`: returns the next bytes of the file; nil at the end
---@field type? string  MIME type; required if the name of the file does not show the type
---@field size? integer  bytes that the reader returns in total; if `size` is missing, the bytes are first stored in a temporary file, because the gateway requires the length
---@field as? "audio"|"document"|"image"|"sticker"|"video"  the type of message whose limits apply to the file; default: by the MIME type. With `as = "document"`, a video may be larger than 16 MB
---@field filename? string  Cloud hosting: the name in the upload form; default: the name of the file. Customers see only the `filename` of a message
---@field ttl_minutes? integer  Cloud hosting, numbers with the No-Storage feature: minutes to keep the file, 60 to 43200
---@field progress? fun(sent: integer, total: integer)  called while bytes are sent
---@field timeout? number  seconds; default: ten times the client's `timeout`

--- An upload that returns a handle.
---@class waba.ResumableOptions
---@field file? string  path of a file
---@field data? string  instead of `file`: the bytes of the file
---@field reader? fun(): string|nil  instead of `file` and `data`: returns the next bytes of the file; nil at the end. The bytes are first stored in a temporary file, so that they can be sent again
---@field type? string  image/jpeg, image/png, video/mp4 or application/pdf; default: by the name of the file
---@field size? integer  the number of bytes in the file
---@field filename? string  the name that the platform gets; default: the name of the file
---@field upload? string  the value of `err.upload` after a failed upload: only the rest of the file is sent
---@field progress? fun(sent: integer, total: integer)  called while bytes are sent
---@field timeout? number  seconds for the complete upload; default: ten times the client's `timeout`

--- The options of an iterator over all pages.
---@class waba.EachOptions
---@field limit? integer  the number of items in one page, 1 or more

--- One page of a list with cursors.
---@class waba.PageOptions : waba.EachOptions
---@field after? string  selects the page after this cursor; the cursor is the field `after` of the previous page
---@field before? string  selects the page before this cursor

--- The business profile. A field that is not set is nil.
---@class waba.BusinessProfile
---@field address? string  at most 256 characters
---@field description? string  at most 512 characters
---@field email? string  at most 128 characters
---@field vertical? string  the industry. On-Premise hosting: at most 128 characters, can't be cleared; Cloud hosting: one of the platform's names, such as "RETAIL"
---@field websites? string[]  at most 2, each at most 256 characters, beginning with http:// or https://

--- The options of `client.profile:photo`.
---@class waba.PhotoOptions
---@field link? boolean  true: returns only the URL of a small picture
---@field file? string  path of the file to write
---@field sink? fun(bytes: string)  receives the bytes; without file and sink, the bytes are returned
---@field timeout? number  seconds; default: ten times the client's `timeout`

--- The photo to set.
---@class waba.SetPhotoOptions
---@field file? string  path of a file: JPEG or PNG, at most 5 MB
---@field data? string  instead of `file`: the bytes of the file
---@field type? string  MIME type; default: determined by the file's name or the first bytes
---@field progress? fun(sent: integer, total: integer)  called while bytes are sent
---@field timeout? number  seconds; default: ten times the client's `timeout`

--- The content of a QR code.
---@class waba.QrCodeOptions
---@field prefilled_message string  required: the text in the customer's input field, at most 140 characters
---@field generate_qr_image? "PNG"|"SVG"  the format of the image of the code; by default no image is created

--- Filters of templates. The filters do not distinguish upper and lower case.
---@class waba.TemplateFilter
---@field limit? integer  number of templates in one page; default on On-Premise hosting: 1000
---@field name? string  selects templates with this name, in all languages
---@field status? string  the status, such as "approved". If the gateway does not filter, the client removes other templates, so a page has fewer templates
---@field category? string  the category, such as "MARKETING"; selects templates in the same way as `status`
---@field language? string  the language, such as "en_US"; selects templates in the same way as `status`
---@field sort? string|string[]  On-Premise: names of fields to sort by; "-" before a name: descending
---@field filters? table|string  On-Premise: further filters: { ["business_templates.name"] = "order_ready_v2" }
---@field fields? string|string[]  Cloud: the names of the fields that are returned for each template
---@field content? string  Cloud: selects templates whose text contains this text
---@field name_or_content? string  Cloud: selects templates whose name or text contains this text
---@field quality_score? string  Cloud: the quality: "GREEN", "YELLOW", "RED", "UNKNOWN"

--- Filters of templates, and the selection of a page.
---@class waba.TemplateQuery : waba.TemplateFilter
---@field offset? integer  On-Premise: the position of the first template; the first position is 0
---@field after? string  Cloud: selects the page after this cursor
---@field before? string  Cloud: selects the page before this cursor

--- The options of `client.templates:get`.
---@class waba.TemplateFieldsOptions
---@field fields? string|string[]  the names of the fields that are returned

--- The changes of a template.
---@class waba.TemplateEdit
---@field category? "AUTHENTICATION"|"MARKETING"|"UTILITY"
---@field components? table[]  in the platform's form; they replace all stored components
---@field allow_category_change? boolean  true: the platform may change a wrong category instead of rejecting the template
---@field parameter_format? string  Cloud: "POSITIONAL", the default of the platform, or "NAMED"
---@field sub_category? string  Cloud hosting only
---@field display_format? string  Cloud hosting only
---@field message_send_ttl_seconds? integer  Cloud: seconds for which WhatsApp tries to deliver a message
---@field cta_url_link_tracking_opted_out? boolean  Cloud: true: WhatsApp does not count taps on the template's links
---@field optimization_spec? table  Cloud hosting only

--- A template to create. Either `components` or `library_template_name` is required.
---@class waba.NewTemplate : waba.TemplateEdit
---@field name string  required: lower-case letters, digits and underscores
---@field language string  required: "de", "en_US"
---@field category "AUTHENTICATION"|"MARKETING"|"UTILITY"  required
---@field send_type? string  Cloud hosting only
---@field is_primary_device_delivery_only? boolean  Cloud: true: only the customer's phone gets messages, not linked devices
---@field library_template_name? string  Cloud: the library template whose content the new template has
---@field library_template_body_inputs? table  Cloud: values for placeholders in the library template's body
---@field library_template_button_inputs? table[]  Cloud: values for placeholders in the library template's buttons

--- The templates to delete.
---@class waba.TemplateDeleteOptions
---@field id? string|integer  Cloud: the id of the template in one language, to delete only this language; default: deletes the template in all languages

--- The filters of the library.
---@class waba.LibraryFilter
---@field search? string  selects templates whose name or content contains this text
---@field topic? string  "ORDER_MANAGEMENT", "PAYMENTS", …
---@field usecase? string  "DELIVERY_UPDATE", …
---@field industry? string  "E_COMMERCE", "FINANCIAL_SERVICES"
---@field language? string
---@field name? string
---@field limit? integer  number of templates in one page

--- The filters of the library, and the selection of a page.
---@class waba.LibraryQuery : waba.LibraryFilter
---@field after? string  selects the page after this cursor
---@field before? string  selects the page before this cursor

--- The options of `client.templates:compare`.
---@class waba.CompareOptions
---@field days? integer  the period: 7, 30, 60 or 90 days; default: 7

--- A webhook URL, with credentials.
---@class waba.WebhookAddressOptions
---@field url string  required: begins with https://; on loopback also http://, for the emulator; on Cloud hosting the URL has no port, and its host has no "_"
---@field user? string  webhooks have the header `Authorization: Basic …` with user and password
---@field password? string
---@field headers? table<string, string>  further headers of each webhook

--- The webhook URL of an account.
---@class waba.AccountWebhookOptions : waba.WebhookAddressOptions
---@field override_all? boolean  true: also replaces the URLs of all numbers; default: false

--- A further destination.
---@class waba.WebhookDestinationOptions : waba.WebhookAddressOptions
---@field name string  required: unique among the destinations of the number

--- All further destinations of a phone number.
---@class waba.WebhookDestinationsOptions
---@field enabled? boolean  true: the gateway posts webhooks to the destinations; default: true
---@field destinations waba.WebhookDestinationOptions[]  required: at most 3 destinations

---@class waba.SenderOptions
---@field outbox waba.Outbox  required
---@field client waba.Client|waba.Clients|table<string, waba.Client>|fun(entry: waba.OutboxEntry): waba.Client|nil  required: a client; or a table of clients by number or phone_number_id; or the result of waba.clients; or a function, which may wait, that returns a client
---@field receiver? waba.Receiver  the receiver of the statuses that prove that messages were accepted. This process must run the receiver's handlers (Cloud hosting; see `outbox:watch`)
---@field suppress? waba.Receiver  a receiver that stores which customers want no marketing messages. Marketing templates to these customers are not sent; the result is an error of kind "blocked". A template is for marketing if its definition in the client has the category marketing, or if its entry has the option `marketing`
---@field settle? number  the seconds for which an uncertain result waits for a status that proves that the message was accepted (Cloud hosting). At most the option `keep` of the outbox; default: 600
---@field resend? boolean  true: sends a message once again if no status has proved within `settle` seconds that the message was accepted. The recipient may get the message twice; default: false
---@field on_result? fun(entry: waba.OutboxEntry, sent: waba.Sent|nil, err: waba.Error|nil)  called after a result is stored. `entry` has `id`, `key`, `to` and `number`. If the error has `maybe_sent`, the result stays uncertain. If the process ends before the call, only `outbox:get` returns the result

---@class waba.SenderWorkOptions : waba.WorkOptions
---@field concurrency? integer  the largest number of messages in flight. Outside of an event loop, a number above 1 starts an event loop, as `waba.run` does; default: 16
---@field batch? integer  the largest number of entries that one call of the store returns, each for another recipient; default: 64

--- The address of a Redis server.
---@class waba.RedisAddress
---@field host? string  default: "127.0.0.1"
---@field port? integer  default: 6379
---@field path? string  the path of a Unix socket, instead of `host` and `port`
---@field password? string
---@field user? string  the name of an ACL user; requires `password`
---@field database? integer
---@field timeout? number  the longest time to connect, and for each call, in seconds; default: 5

--- The file of an inbox or an outbox.
---@class waba.SqliteFile
---@field file string  required: the path of the database file of one inbox or one outbox. The process must be able to write to the file and to its directory. A new file has mode 600. A file that was removed or replaced is opened again at this path
---@field busy_timeout? number  the longest wait for the write lock of another process, in seconds. In nginx, `waba.run`, cqueues and copas, other coroutines run during the wait; default: 5

--- A business number and the credentials of its webhook. If the table has no credentials, the credentials of the
--- receiver are valid for the webhook.
---@class waba.AddressOptions
---@field number string|integer  required: the number; on Cloud hosting the phone_number_id is possible too
---@field user? string|string[]  user, password, headers and secret have the same meaning as in `waba.receiver`
---@field password? string|string[]
---@field headers? table<string, string>|table<string, string>[]
---@field secret? string|string[]

--- The options for running handlers in nginx.
---@class waba.NginxOptions
---@field concurrency? integer  the largest number of handlers that run at once in each worker process; 0: other programs handle the stored events; default: 4
---@field batch? integer  the largest number of events that are taken at once, as in `receiver:work`; default: 64
---@field lease? number  seconds of a lease, as in `receiver:work`; default: 60
---@field interval? number  seconds between checks for events that other processes stored; default: 1

--- The options of `waba.receiver`.
---@class waba.ReceiverOptions
---@field user? string|string[]  the user name of HTTP Basic authentication
---@field password? string|string[]  the password, or a list of valid passwords. With a list, a password can be changed without an interruption
---@field headers? table<string, string>|table<string, string>[]  headers that a webhook must have. With a list of tables, a webhook must have all headers of one of the tables
---@field secret? string|string[]  the secret of a signature over the body (HMAC-SHA256)
---@field open? boolean  must be set if there are no credentials: true accepts webhooks from anybody; false accepts no webhooks, for a program that only handles stored events
---@field number? string|integer|table<string, waba.Address>|fun(request: waba.WebhookRequest): waba.Address|nil  the business number of On-Premise webhooks, which do not contain the number: one number; or the numbers by path; or a function of the request. The function may wait. The response to a path without a number is 404
---@field inbox? waba.Inbox  default: in memory
---@field separate_statuses? boolean  true: a customer's messages, and the statuses of messages to the customer, do not wait for each other; false: messages and statuses are handled one at a time, in the order of arrival. Default: the field `separate_statuses` of the inbox, else true
---@field client? waba.Client|waba.Clients|table<string, waba.Client>|fun(event: waba.Event): waba.Client|nil  the client for `event:reply` and other methods: one client; or the clients by number or phone_number_id; or a function that returns the client of an event, and may wait
---@field on? waba.Handlers  the handlers by name
---@field quiet_while? waba.QuietOptions  the cases in which a bot does not reply, because a person or another sender writes to the customer. Then only the handler `standby` gets the customer's messages
---@field gather? number  seconds without a message after which the latest messages of a customer are handled in one call. The handlers get the last message; `event.messages` has all joined messages
---@field max_age? number  seconds after which a message is too old for a reply. For an older message only the handler `any` is called, and `event.is_late` is true. Default: messages are never too old
---@field state_expires? number  seconds without a change after which `event.state` and the step of `event:ask` are removed; default: never
---@field max_body? integer  the largest body in bytes; default: 4 * 1024 * 1024

--- The cases in which a bot does not reply.
---@class waba.QuietOptions
---@field echo? number  the bot does not reply for this number of seconds after a message that a person has written in the Business app
---@field standby? boolean|number  true: the bot does not reply while another sender controls the conversation. The bot replies again at the latest a day after the last event `standby` or `handover`. With a number, the bot replies again after this number of seconds instead of a day

--- Handlers of notifications about the account, by field (Cloud; cloud.md, section 4.9).
---@class waba.AccountHandlers
---@field account_alerts? fun(event: waba.Event, attempts: integer)
---@field account_review_update? fun(event: waba.Event, attempts: integer)
---@field account_settings_update? fun(event: waba.Event, attempts: integer)
---@field account_update? fun(event: waba.Event, attempts: integer)
---@field automatic_events? fun(event: waba.Event, attempts: integer)
---@field business_capability_update? fun(event: waba.Event, attempts: integer)
---@field business_username_update? fun(event: waba.Event, attempts: integer)
---@field calls? fun(event: waba.Event, attempts: integer)
---@field consumer_profile? fun(event: waba.Event, attempts: integer)
---@field flows? fun(event: waba.Event, attempts: integer)
---@field group_lifecycle_update? fun(event: waba.Event, attempts: integer)
---@field group_participants_update? fun(event: waba.Event, attempts: integer)
---@field group_settings_update? fun(event: waba.Event, attempts: integer)
---@field group_status_update? fun(event: waba.Event, attempts: integer)
---@field history? fun(event: waba.Event, attempts: integer)
---@field message_template_components_update? fun(event: waba.Event, attempts: integer)
---@field message_template_quality_update? fun(event: waba.Event, attempts: integer)
---@field message_template_status_update? fun(event: waba.Event, attempts: integer)
---@field partner_solutions? fun(event: waba.Event, attempts: integer)
---@field payment_configuration_update? fun(event: waba.Event, attempts: integer)
---@field phone_number_name_update? fun(event: waba.Event, attempts: integer)
---@field phone_number_quality_update? fun(event: waba.Event, attempts: integer)
---@field security? fun(event: waba.Event, attempts: integer)
---@field smb_app_state_sync? fun(event: waba.Event, attempts: integer)
---@field template_category_update? fun(event: waba.Event, attempts: integer)
---@field tracking_events? fun(event: waba.Event, attempts: integer)
---@field user_id_update? fun(event: waba.Event, attempts: integer)

--- Handlers by name. All handlers that apply to an event are called, in this order: the handler of its type, the
--- handler of its kind, `any`. Each handler is called with the event and the number of attempts to handle the event.
--- Any other name in the table raises an error.
---@class waba.Handlers : waba.AccountHandlers
---@field text? fun(event: waba.Event, attempts: integer)
---@field image? fun(event: waba.Event, attempts: integer)
---@field video? fun(event: waba.Event, attempts: integer)
---@field audio? fun(event: waba.Event, attempts: integer)  an audio file; also a voice note if there is no handler `voice`
---@field voice? fun(event: waba.Event, attempts: integer)  a voice note
---@field document? fun(event: waba.Event, attempts: integer)
---@field sticker? fun(event: waba.Event, attempts: integer)
---@field location? fun(event: waba.Event, attempts: integer)
---@field contacts? fun(event: waba.Event, attempts: integer)  shared contacts
---@field button? fun(event: waba.Event, attempts: integer)  a quick reply of a template
---@field reply? fun(event: waba.Event, attempts: integer)  the choice from a list or from buttons, or the input of a flow
---@field interactive? fun(event: waba.Event, attempts: integer)  called for a reply if there is no handler `reply`
---@field order? fun(event: waba.Event, attempts: integer)  a cart of products
---@field reaction? fun(event: waba.Event, attempts: integer)
---@field edit? fun(event: waba.Event, attempts: integer)  a customer has changed a message (Cloud)
---@field revoke? fun(event: waba.Event, attempts: integer)  a customer has deleted a message (Cloud)
---@field request_welcome? fun(event: waba.Event, attempts: integer)  a customer has opened the chat for the first time (Cloud)
---@field system? fun(event: waba.Event, attempts: integer)  a customer has a new phone number or a new phone
---@field unknown? fun(event: waba.Event, attempts: integer)  a message of a type that the platform or this library cannot read
---@field sent? fun(event: waba.Event, attempts: integer)  the status "sent" of a message; each status has a handler with its name
---@field delivered? fun(event: waba.Event, attempts: integer)
---@field read? fun(event: waba.Event, attempts: integer)
---@field played? fun(event: waba.Event, attempts: integer)
---@field failed? fun(event: waba.Event, attempts: integer)
---@field deleted? fun(event: waba.Event, attempts: integer)
---@field warning? fun(event: waba.Event, attempts: integer)
---@field payment? fun(event: waba.Event, attempts: integer)  the result of a payment (Cloud)
---@field message? fun(event: waba.Event, attempts: integer)  every message
---@field status? fun(event: waba.Event, attempts: integer)  every status
---@field account? fun(event: waba.Event, attempts: integer)  every notification about the account
---@field echo? fun(event: waba.Event, attempts: integer)  a message that the business has sent without this API, for example with the Business app
---@field standby? fun(event: waba.Event, attempts: integer)  a customer's message while another sender controls the conversation (Cloud)
---@field handover? fun(event: waba.Event, attempts: integer)  another sender controls the conversation now (Cloud)
---@field preference? fun(event: waba.Event, attempts: integer)  a customer wants no marketing messages, or wants them again (Cloud)
---@field customer_changed? fun(event: waba.Event, attempts: integer)  the phone number or the user id of a customer has changed, or has become known; see `event.customer` and `event.previous`
---@field step? table<string, fun(event: waba.Event, attempts: integer)>  handlers by the name of the step that `event:ask` has set. Only the handler of the step gets the customer's next message
---@field any? fun(event: waba.Event, attempts: integer)  every event
---@field error? fun(event: waba.Event, err: any)  called for each error that the platform reports in a webhook, and for each error that a handler raises

--- The options of `waba.webhook.server`.
---@class waba.WebhookServerOptions
---@field receiver waba.Receiver  required
---@field host? string  the address to listen on; "0.0.0.0": all addresses of the machine; default: "127.0.0.1"
---@field port? integer  0: any free port; `server:url` returns the chosen port; default: 0
---@field path? string  the only path that the server accepts; default: all paths
---@field tls? { cert: string, key: string }  PEM texts, or paths of PEM files; default: HTTP without TLS, for use behind a proxy
---@field concurrency? integer  the largest number of handlers that run at once; 0: other processes handle the stored events; default: 4
---@field batch? integer  the largest number of events that are taken at once, as in `receiver:work`; default: 64
---@field lease? number  seconds of a lease, as in `receiver:work`; default: 60
---@field interval? number  seconds between checks for events that other processes stored; default: 0.5
---@field grace? number  seconds after `server:stop` in which requests and handlers can finish; default: 10
---@field reuseport? boolean  true: several processes may listen on the port, and share the connections
---@field limits? waba.ServerLimits  the limits of a peer that has not yet sent valid credentials
---@field cq? userdata  the controller of cqueues that runs the server; default: a new controller

--- The options of `waba.status_tracker`.
---@class waba.TrackerOptions
---@field max? integer  the largest number of messages; the oldest messages are removed; default: 100000

--- Makes a client for one phone number at 360dialog. Each phone number has its own API key.
---@param options? waba.ClientOptions  environment variables set the defaults of some options: D360_API_KEY,
---        WABA_HOSTING, WABA_BASE_URL, WABA_CA_FILE
---@return waba.Client
function waba.client(options) end

--- Makes an object with the clients of many phone numbers, for example for the option `client` of `waba.receiver`. A
--- client is made when its phone number is first needed.
---@param options waba.ClientsOptions
---@return waba.Clients
function waba.clients(options) end

--- Checks a message without sending it.
---@param message waba.Message
---@param hosting? waba.Hosting  "on_premise" (the default) or "cloud"
---@param mode? true|"documented"  "documented": checks only the rules that the platform documents
---@param definition? waba.StoredTemplate  the result of `client.templates:definition`, with which a template message
---        is compared
---@return true|nil valid
---@return waba.Error? err  kind "invalid" with `path`; kind "template" if the message differs from the definition
function waba.check(message, hosting, mode, definition) end

--- Returns the meaning of an error code of the platform, and what to do about it.
---@param code integer|string
---@param hosting? waba.Hosting  the hosting of the code; default: On-Premise hosting, or Cloud hosting for a code that
---        only Cloud hosting has
---@return waba.ErrorRow|nil  nil for an unknown code
function waba.explain(code, hosting) end

--- Cuts a long text into pieces that fit into messages: between paragraphs if possible, else between lines, sentences
--- or words. A visible character, and a URL that fits into one piece, are never cut. The blanks at a cut are removed.
---@param text string
---@param options? waba.SplitOptions
---@return string[]|nil pieces  empty if the text has only blanks
---@return waba.Error? err      kind "invalid": the text is not valid UTF-8
function waba.split(text, options) end

--- Reads a webhook: every event of every entry, in order. An event of an unknown type has its name in `type` and its
--- content in `raw`, so every JSON object can be read.
---@param bytes string  the body of the POST request
---@param sources? table<integer, string>  a table into which the function writes the JSON text of `event.raw`, at the
---        position of each event; a few rare events have no text
---@return waba.Event[]|nil events
---@return waba.Error? err  kind "protocol": the body is not a JSON object
function waba.events(bytes, sources) end

--- Makes a receiver of webhooks. If several kinds of credentials are set, a webhook needs only one of them.
---@param options waba.ReceiverOptions
---@return waba.Receiver
function waba.receiver(options) end

--- Makes a sender. The sender sends nothing before its `work` is called.
---@param options waba.SenderOptions
---@return waba.Sender
function waba.sender(options) end

--- Makes a tracker of message statuses.
---@param options? waba.TrackerOptions
---@return waba.StatusTracker
function waba.status_tracker(options) end

--- Runs functions concurrently, each in its own coroutine, until all coroutines have ended. While one coroutine waits
--- for a response, the others run. If a coroutine raises an error, `waba.run` raises the error too.
---@param fn fun(...): ...
---@param ... any  further functions, then the arguments of each function
---@return any ...  the results of the first function
function waba.run(fn, ...) end

--- Starts another coroutine inside `waba.run`. `waba.run` returns when all coroutines have ended.
---@param fn fun(...)
---@param ... any  the arguments of `fn`
function waba.spawn(fn, ...) end

--- Waits for some seconds, during which the other coroutines of the event loop run.
---@param seconds number  0 or more
function waba.sleep(seconds) end

--- A text. WhatsApp's markup works in the text: `*bold*`, `_italic_`, `~struck~`.
---@param content string|{ body: string, preview_url: boolean? }  body: 1 to 4096 characters; preview_url: true shows
---  a preview of the first link, false by default
---@return waba.Message
function waba.text(content) end

--- An image: JPEG or PNG, at most 5 MB. The library does not check the file. The platform reports an invalid file
--- later, in a status.
---@param content waba.MediaContent
---@return waba.Message
function waba.image(content) end

--- A video: MP4 or 3GPP with H.264 and AAC, at most 16 MB. A later status reports an invalid file.
---@param content waba.MediaContent
---@return waba.Message
function waba.video(content) end

--- An audio file of at most 16 MB. A later status reports an invalid file.
---@param content waba.MediaContent|{ voice: boolean? }  without caption; voice: true sends a voice note, as `waba.voice`
---        does
---@return waba.Message
function waba.audio(content) end

--- A voice note, for Cloud hosting only. The file must be OGG with Opus and one channel. If the file is larger than
--- 512 KB, WhatsApp shows a download icon instead of a play icon. On On-Premise hosting, WhatsApp shows every
--- `waba.audio` in OGG with Opus as a voice note.
---@param content waba.MediaContent  without caption
---@return waba.Message
function waba.voice(content) end

--- A document of at most 100 MB, or 64 MB if it is uploaded on On-Premise hosting. A later status reports an invalid
--- file.
---@param content waba.MediaContent
---@return waba.Message
function waba.document(content) end

--- A sticker: WebP, 512 x 512 pixels, at most 100 KB; not animated on On-Premise hosting. A later status reports an
--- invalid file.
---@param content waba.MediaContent  without caption
---@return waba.Message
function waba.sticker(content) end

--- A place. WhatsApp shows the address only together with a name.
---@param content { latitude: number, longitude: number, name: string?, address: string? }
---@return waba.Message
function waba.location(content) end

--- A reaction to a message; `emoji = ""` removes the reaction. Cloud hosting only.
---@param content { message_id: string, emoji: string }
---@return waba.Message
function waba.reaction(content) end

--- Pins a message in a group (Cloud hosting only). A group shows up to three pinned messages.
---@param content { message_id: string, expiration_days: integer }  1 to 30 days
---@return waba.Message
function waba.pin(content) end

--- Unpins a message in a group (Cloud hosting only).
---@param content string|{ message_id: string }
---@return waba.Message
function waba.unpin(content) end

--- Creates a message of any type; the content has the platform's form.
---@param kind string
---@param content any
---@return waba.Message
function waba.message(kind, content) end

--- Creates a message with one or more contact cards.
---@param cards waba.ContactCard[]
---@return waba.Message
function waba.contacts(cards) end

--- A message with one to three reply buttons.
---@param content waba.InteractiveContent|{ buttons: { id: string, title: string }[] }  id: at most 256 characters,
---  returned in the reply; title: at most 20 characters; both must be unique
---@return waba.Message
function waba.buttons(content) end

--- A message with a button that opens a list. The header must be a text.
---@param content waba.InteractiveContent|{ button: string, sections: { title: string?, rows: { id: string, title: string, description: string? }[] }[] }
---  button: at most 20 characters; all sections together have at most 10 rows; titles have at most 24 characters, and
---  are required if there are several sections; a description has at most 72 characters
---@return waba.Message
function waba.list(content) end

--- A message with one product of a catalogue. The message has no header; body and footer are optional.
---@param content { catalog_id: string, product_retailer_id: string, body: string?, footer: string? }
---@return waba.Message
function waba.product(content) end

--- A message with up to 30 products of a catalogue, in sections. The header (a text) and the body are required.
---@param content waba.InteractiveContent|{ catalog_id: string, sections: { title: string?, products: string[] }[] }
---@return waba.Message
function waba.product_list(content) end

--- A message with a link to the complete catalogue. Cloud hosting only.
---@param content { body: string, footer: string?, thumbnail_product_retailer_id: string? }
---  thumbnail_product_retailer_id: the product whose picture is shown; default: the first product of the catalogue
---@return waba.Message
function waba.catalog(content) end

--- A message with a row of two to ten cards through which the customer can swipe. Each card has an image or a video,
--- and either a link or quick replies. All cards must have the same parts. Cloud hosting only. Outside the 24-hour
--- window, use the option `cards` of `waba.template`.
---
---    waba.carousel { body = "Two rooms fit", cards = {
---      { header = waba.image { link = "https://…/a.jpg" }, body = "Loft", display_text = "Book", url = "https://…/a" },
---      { header = waba.image { link = "https://…/b.jpg" }, body = "Flat", display_text = "Book", url = "https://…/b" },
---    } }
---@param content { body: string, cards: { header: table, body: string?, display_text: string?, url: string?, buttons: { id: string, title: string }[]? }[] }
---  a card's body has at most 160 characters and at most two line breaks; either all cards have a body or none;
---  display_text and title have at most 20 characters
---@return waba.Message
function waba.carousel(content) end

--- A message with a row of two to ten products of one catalogue through which the customer can swipe. Cloud hosting
--- only.
---@param content { body: string, catalog_id: string, products: string[] }
---@return waba.Message
function waba.product_carousel(content) end

--- A message with a button that opens a web page. No webhook reports a tap on the button.
---@param content waba.InteractiveContent|{ display_text: string, url: string }  display_text: at most 20 characters
---@return waba.Message
function waba.cta_url(content) end

--- A message with a button that opens a flow (a form inside WhatsApp). The customer's input arrives as a reply of kind
--- "flow".
---@param content waba.InteractiveContent|{ flow_id: string?, flow_name: string?, flow_cta: string, flow_token: string?, mode: string?, flow_action: string?, screen: string?, data: table?, flow_action_payload: table?, flow_message_version: string? }
---  either flow_id or flow_name is required; flow_cta: the label of the button, at most 30 characters; flow_token: a
---  text that the reply contains; mode: "published" (default) or "draft"; flow_action: "navigate" (default) or
---  "data_exchange"; screen: the first screen of the flow; data: the input of the first screen
---@return waba.Message
function waba.flow(content) end

--- Requests a location from the customer. The reply is a message of type location.
---@param content string|{ body: string }
---@return waba.Message
function waba.location_request(content) end

--- Requests an address from the customer (India). The reply has the kind "flow".
---@param content waba.InteractiveContent|{ country: string?, values: table?, saved_addresses: { id: string, value: table }[]?, validation_errors: table? }
---  country: "IN" by default; values: the first content of the fields name, phone_number, in_pin_code, house_number,
---  floor_number, tower_number, building_name, address, landmark_area, city, state; validation_errors: the error texts
---  of these fields, when an invalid address is requested again
---@return waba.Message
function waba.address(content) end

--- Requests the phone number from the customer. The reply is a message of type contacts.
---@param content string|{ body: string }
---@return waba.Message
function waba.request_contact_info(content) end

--- A message with a button that calls the business.
---@param content string|{ body: string, display_text: string?, ttl_minutes: integer?, payload: string? }
---  display_text: at most 20 characters, "Call Now" by default; ttl_minutes: minutes until the button expires, 1 to
---  43200, 10080 (7 days) by default; payload: at most 512 characters, which the event of the call contains
---@return waba.Message
function waba.voice_call(content) end

--- Requests the permission to call the customer. The platform allows one request in 24 hours and two in 7 days.
---@param content? string|{ body: string? }
---@return waba.Message
function waba.call_permission(content) end

--- A message with the price of an order and a button to pay. A message without items and subtotal shows only the total.
---@param content waba.OrderDetails|{ body: string, header: table?, footer: string? }  the header must be an image
---@return waba.Message
function waba.order_details(content) end

--- A message with the status of an order. The status can't change after "completed" or "canceled".
---@param content { body: string, footer: string?, reference_id: string, status: string?, description: string?, payment: { status: string, timestamp: integer? }?, order: table? }
---  status: "processing", "partially_shipped", "shipped", "completed" or "canceled"
---@return waba.Message
function waba.order_status(content) end

--- Creates a parameter of a template's body that is an amount of money.
---@param content { code: string, amount_1000: integer, fallback_value: string }  code: of the currency, as in ISO 4217;
---  amount_1000: the amount times 1000; fallback_value: the text that WhatsApp shows if it can't format the amount
---@return table parameter
function waba.currency(content) end

--- Creates a parameter of a template's body that is a date and time. Most WhatsApp clients show `fallback_value`.
---@param content { fallback_value: string, day_of_week: integer|string|nil, year: integer?, month: integer?, day_of_month: integer?, hour: integer?, minute: integer?, calendar: string?, timestamp: integer? }
---@return table parameter
function waba.date_time(content) end

--- A template message, the only type that may be sent outside the 24-hour window.
---
---    waba.template { name = "order_ready", language = "de", header = { image = { link = "https://…" } },
---      body = { "Eva", waba.currency { code = "EUR", amount_1000 = 49900, fallback_value = "49,90 EUR" } },
---      buttons = { { payload = "PICKUP_118" }, { url = "track/118" } } }
---@param content waba.TemplateContent
---@return waba.Message
function waba.template(content) end

--- Creates a template message in the form that the platform used before 2022. New programs use `waba.template`.
---@param content { namespace: string, element_name: string, language: string|table, params: any[]?, localizable_params: table[]? }
---  params: the values of the placeholders, in the form of `body` of `waba.template`; localizable_params: the values in
---  the platform's form, instead of params
---@return waba.Message
function waba.hsm(content) end

--- Starts an emulator in a process of its own. The emulator ends when the program ends, also after a crash.
---@param settings? waba.EmulatorOptions
---@return waba.Emulator|nil
---@return waba.Error? err  set if a library is missing, or the emulator can't listen
function emulator.start(settings) end

--- Starts to run the handlers of a receiver in this worker process. Without this function, `serve` starts the handlers
--- at the first request. A call in `init_worker_by_lua` handles the events of an earlier process before the first
--- request.
---@param receiver waba.Receiver
---@param options? waba.NginxOptions
function nginx.start(receiver, options) end

--- Handles the current request and responds. A `content_by_lua` handler needs only this call.
---@param receiver waba.Receiver  one receiver per worker process, made in a module or in `init_worker_by_lua`
---@param options? waba.NginxOptions  only the options of the first call have an effect
function nginx.serve(receiver, options) end

return waba
