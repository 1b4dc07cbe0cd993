-- An inbox that release 1.0 has written (its own SQL, with times that do not depend on the day of the test).
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE waba_event (
    seq INTEGER PRIMARY KEY, conversation TEXT, head INTEGER NOT NULL, due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, token INTEGER NOT NULL DEFAULT -1, reason TEXT, body TEXT NOT NULL);
INSERT INTO waba_event VALUES(2,'491516',1,4102444800.5,1,-1,'the shop is closed','{"text":"fails later","type":"text","id":"f1","raw":{"text":{"body":"fails later"},"type":"text","from":"491516","timestamp":"1764000000","id":"f1"},"number":"493099001","kind":"message","timestamp":1764000000,"contact":{"wa_id":"491516","name":"Eva"},"from":"491516","hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
INSERT INTO waba_event VALUES(3,'491511',1,1764000010.5,1,2761813069499992,NULL,'{"text":"first","type":"text","id":"a1","raw":{"text":{"body":"first"},"type":"text","from":"491511","timestamp":"1764000000","id":"a1"},"number":"493099001","kind":"message","timestamp":1764000000,"contact":{"wa_id":"491511","name":"Eva"},"from":"491511","hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
INSERT INTO waba_event VALUES(4,'491511',0,0.0,0,-1,NULL,'{"text":"second","type":"text","id":"a2","raw":{"text":{"body":"second"},"type":"text","from":"491511","timestamp":"1764000000","id":"a2"},"number":"493099001","kind":"message","timestamp":1764000000,"contact":{"wa_id":"491511","name":"Eva"},"from":"491511","hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
INSERT INTO waba_event VALUES(5,'491511',0,0.0,0,-1,NULL,'{"text":"third","type":"text","id":"a3","raw":{"text":{"body":"third"},"type":"text","from":"491511","timestamp":"1764000000","id":"a3"},"number":"493099001","kind":"message","timestamp":1764000000,"contact":{"wa_id":"491511","name":"Eva"},"from":"491511","hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
INSERT INTO waba_event VALUES(6,'491513',1,0.0,0,-1,NULL,'{"text":"a NUL \u0000 and ü","type":"text","id":"n1","raw":{"text":{"body":"a NUL \u0000 and ü"},"type":"text","from":"491513","timestamp":"1764000000","id":"n1"},"number":"493099001","kind":"message","timestamp":1764000000,"contact":{"wa_id":"491513","name":"Eva"},"from":"491513","hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
INSERT INTO waba_event VALUES(7,'DE.7',1,0.0,0,-1,NULL,'{"text":"hidden","type":"text","id":"b1","raw":{"text":{"body":"hidden"},"from_user_id":"DE.7","type":"text","id":"b1","timestamp":"1764000001"},"number":"493099001","kind":"message","from_user_id":"DE.7","contact":{"user_id":"DE.7"},"timestamp":1764000001,"hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
INSERT INTO waba_event VALUES(8,'491511',0,0.0,0,-1,NULL,'{"status":"delivered","id":"out1","raw":{"id":"out1","recipient_id":"491511","status":"delivered","timestamp":"1764000002"},"number":"493099001","kind":"status","timestamp":1764000002,"recipient":"491511","hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
INSERT INTO waba_event VALUES(9,'491518',1,0.0,0,-1,NULL,'{"text":"on premise","type":"text","id":"p1","raw":{"text":{"body":"on premise"},"type":"text","from":"491518","timestamp":"1764000003","id":"p1"},"kind":"message","contact":{"wa_id":"491518","name":"Jo"},"hosting":"on_premise","timestamp":1764000003,"from":"491518"}');
INSERT INTO waba_event VALUES(10,NULL,1,0.0,0,-1,NULL,'{"kind":"error","waba_id":"1","phone_number_id":"401","error":{"maybe_sent":false,"retryable":true,"title":"Something went wrong","kind":"unavailable","code":131000,"message":"Something went wrong"},"hosting":"cloud","raw":{"title":"Something went wrong","code":131000},"number":"493099001"}');
CREATE TABLE waba_aside (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT, attempts INTEGER NOT NULL, at REAL NOT NULL,
    reason TEXT, body TEXT NOT NULL);
INSERT INTO waba_aside VALUES(1,'491517',1,1764000009.5,'may have been sent','{"text":"final","type":"text","id":"f0","raw":{"text":{"body":"final"},"type":"text","from":"491517","timestamp":"1764000000","id":"f0"},"number":"493099001","kind":"message","timestamp":1764000000,"contact":{"wa_id":"491517","name":"Eva"},"from":"491517","hosting":"cloud","waba_id":"1","phone_number_id":"401"}');
CREATE TABLE waba_seen (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID;
INSERT INTO waba_seen VALUES('message:a1',4102444800.0);
INSERT INTO waba_seen VALUES('message:a2',4102444800.0);
INSERT INTO waba_seen VALUES('message:a3',4102444800.0);
INSERT INTO waba_seen VALUES('message:b1',4102444800.0);
INSERT INTO waba_seen VALUES('message:f0',4102444800.0);
INSERT INTO waba_seen VALUES('message:f1',4102444800.0);
INSERT INTO waba_seen VALUES('message:handled',4102444800.0);
INSERT INTO waba_seen VALUES('message:n1',4102444800.0);
INSERT INTO waba_seen VALUES('message:p1',4102444800.0);
INSERT INTO waba_seen VALUES('status:out1:delivered:491511',4102444800.0);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('waba_aside',1);
CREATE INDEX waba_event_head ON waba_event (seq) WHERE head = 1;
CREATE INDEX waba_event_conversation ON waba_event (conversation, seq)
    WHERE conversation IS NOT NULL;
CREATE INDEX waba_seen_until ON waba_seen (until);
COMMIT;
