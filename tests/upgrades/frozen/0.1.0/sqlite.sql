BEGIN TRANSACTION;
CREATE TABLE afterwork_cache (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	derivation INTEGER NOT NULL, 
	root TEXT NOT NULL, 
	snapshot BIGINT, 
	own BIGINT, 
	wrote BIGINT, 
	digest BIGINT, 
	runs INTEGER DEFAULT '0' NOT NULL, 
	took FLOAT, 
	computed DATETIME, 
	cause TEXT, 
	cause_cache BIGINT, 
	depth INTEGER DEFAULT '0' NOT NULL, 
	error TEXT, 
	level INTEGER, 
	CONSTRAINT afterwork_cache_root UNIQUE (derivation, root)
);
INSERT INTO "afterwork_cache" VALUES(1,1,'Customer!1',5,NULL,7,6328390202333683626,1,2.1994667000399203971e-02,'2026-11-30 21:39:44.336901','{"kind": "new"}',NULL,0,NULL,NULL);
INSERT INTO "afterwork_cache" VALUES(2,1,'Customer!2',5,NULL,7,-1207740552027415148,1,2.07859000056487275287e-04,'2026-11-30 21:39:44.336901','{"kind": "new"}',NULL,0,NULL,NULL);
INSERT INTO "afterwork_cache" VALUES(3,3,'Order!1',8,NULL,NULL,3523350141556591038,1,5.59999000001880631316e-02,'2026-11-30 21:39:44.528940','{"kind": "new"}',NULL,0,NULL,NULL);
INSERT INTO "afterwork_cache" VALUES(4,3,'Order!2',7,NULL,NULL,-7353797269214542038,1,6.86641999891435261815e-04,'2026-11-30 21:39:44.463913','{"kind": "new"}',NULL,0,NULL,NULL);
INSERT INTO "afterwork_cache" VALUES(5,3,'Order!3',7,NULL,NULL,4676397590591374874,1,1.28924389996427635196e-02,'2026-11-30 21:39:44.463913','{"kind": "new"}',NULL,0,NULL,NULL);
CREATE TABLE afterwork_conflict (
	machine TEXT NOT NULL, 
	source TEXT NOT NULL, 
	taken TEXT NOT NULL, 
	other TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (machine, source, taken, other)
);
CREATE TABLE afterwork_derivation (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	checksum TEXT, 
	backfill_position TEXT, 
	backfilled BOOLEAN DEFAULT 0 NOT NULL, 
	backfill_done BIGINT DEFAULT '0' NOT NULL, 
	backfill_total BIGINT, 
	backfill_began DATETIME, 
	code_changes INTEGER DEFAULT '0' NOT NULL, 
	root_table_id INTEGER, 
	gap TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "afterwork_derivation" VALUES(1,'Customer.total','b8405ee36dfe8243b8223cca','["2"]',1,2,2,'2026-11-30 21:39:43.644248',1,1,NULL);
INSERT INTO "afterwork_derivation" VALUES(2,'Customer.largest','f66e7c323e022cddb6f3e4fd in sets by [1, 2, 3]','[2]',1,2,2,'2026-11-30 21:39:43.644248',1,1,NULL);
INSERT INTO "afterwork_derivation" VALUES(3,'Order.flow','616f0235aedb87b3580eb49b','["3"]',1,3,3,'2026-11-30 21:39:43.644248',1,2,NULL);
CREATE TABLE afterwork_due (
	cache BIGINT NOT NULL, 
	derivation INTEGER NOT NULL, 
	due DATETIME NOT NULL, 
	backfill BOOLEAN DEFAULT 0 NOT NULL, 
	since DATETIME, 
	cause TEXT, 
	cause_cache BIGINT, 
	depth INTEGER DEFAULT '0' NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	reread BOOLEAN DEFAULT 1 NOT NULL, 
	claim VARCHAR(36), 
	server BIGINT, 
	claimed_at BIGINT, 
	stored BOOLEAN DEFAULT 0 NOT NULL, 
	waited INTEGER DEFAULT '0' NOT NULL, 
	PRIMARY KEY (cache)
);
CREATE TABLE afterwork_installation (
	name VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "afterwork_installation" VALUES('schema_version','14');
INSERT INTO "afterwork_installation" VALUES('installation','18ece365-ede4-4926-8e7f-be3877b66fd8');
CREATE TABLE afterwork_journal (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	tx BIGINT, 
	changed_at TEXT NOT NULL, 
	table_id SMALLINT NOT NULL, 
	kind CHAR(1) NOT NULL, 
	"key" BIGINT, 
	key_text TEXT, 
	columns BIGINT NOT NULL, 
	old TEXT, 
	new TEXT
);
INSERT INTO "afterwork_journal" VALUES(15,NULL,'2026-11-30T21:39:45.644Z',1,'I',3,NULL,9223372036854775807,NULL,'''3'',''Cid'',NULL,''0'',''0''');
INSERT INTO "afterwork_journal" VALUES(16,NULL,'2026-11-30T21:39:45.646Z',2,'I',4,NULL,9223372036854775807,NULL,'''4'',''3'',''7'',''0'',''0'',''placed''');
INSERT INTO "afterwork_journal" VALUES(17,NULL,'2026-11-30T21:39:45.727Z',2,'U',2,NULL,12,'''2'',''1'',''30'',''0'',''1'',''placed''','''2'',''1'',''40'',''40'',''1'',''placed''');
CREATE TABLE afterwork_lane (
	name TEXT NOT NULL, 
	lease VARCHAR(36), 
	paused BOOLEAN DEFAULT 0 NOT NULL, 
	slots INTEGER, 
	has_rate BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "afterwork_lane" VALUES('main',NULL,0,NULL,0);
INSERT INTO "afterwork_lane" VALUES('parallel',NULL,0,NULL,0);
INSERT INTO "afterwork_lane" VALUES('names',NULL,1,NULL,0);
CREATE TABLE afterwork_lane_rate (
	lane TEXT NOT NULL, 
	max_starts INTEGER NOT NULL, 
	per_seconds FLOAT NOT NULL, 
	starts TEXT NOT NULL, 
	PRIMARY KEY (lane)
);
CREATE TABLE afterwork_last (unused);
CREATE TABLE afterwork_last_change (
	own INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	changed_at DATETIME NOT NULL, 
	route INTEGER, 
	PRIMARY KEY (own, "key")
);
INSERT INTO "afterwork_last_change" VALUES(2,'[1]','2026-11-30 21:39:44.695176',NULL);
INSERT INTO "afterwork_last_change" VALUES(2,'[2]','2026-11-30 21:39:44.695176',NULL);
CREATE TABLE afterwork_lease (
	run VARCHAR(36) NOT NULL, 
	ticket TEXT NOT NULL, 
	lane TEXT NOT NULL, 
	server BIGINT NOT NULL, 
	epoch INTEGER NOT NULL, 
	taken DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	PRIMARY KEY (run), 
	UNIQUE (ticket)
);
CREATE TABLE afterwork_manifest (
	cache BIGINT NOT NULL, 
	read_keys BLOB NOT NULL, 
	PRIMARY KEY (cache)
);
INSERT INTO "afterwork_manifest" VALUES(1,X'0100000000800000020000000080000001000000000001000100000000800100');
INSERT INTO "afterwork_manifest" VALUES(2,X'030000000080000002000000000001000200000000800100');
INSERT INTO "afterwork_manifest" VALUES(4,X'0200000000000200');
INSERT INTO "afterwork_manifest" VALUES(5,X'0300000000000200');
INSERT INTO "afterwork_manifest" VALUES(3,X'0100000000800200');
CREATE TABLE afterwork_match (
	id VARCHAR(60) NOT NULL, 
	view_model TEXT, 
	root_id TEXT, 
	execute_earliest DATETIME, 
	keep_receipt_minutes INTEGER DEFAULT '0' NOT NULL, 
	done DATETIME, 
	delete_time DATETIME, 
	error TEXT, 
	priority INTEGER, 
	lane TEXT NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	created DATETIME NOT NULL, 
	due DATETIME, 
	variables TEXT, 
	PRIMARY KEY (id)
);
CREATE TABLE afterwork_minute (
	minute DATETIME NOT NULL, 
	server BIGINT NOT NULL, 
	work TEXT NOT NULL, 
	source VARCHAR(10) NOT NULL, 
	done BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	put_off BIGINT NOT NULL, 
	seconds FLOAT NOT NULL, 
	wait FLOAT NOT NULL, 
	took TEXT NOT NULL, 
	latency TEXT NOT NULL, 
	PRIMARY KEY (minute, server, work, source)
);
INSERT INTO "afterwork_minute" VALUES('2026-11-30 21:39:00.000000',1,'Customer.largest','cache',2,0,0,4.7117435000018303981e-02,0.0,'0 0 0 0 0 2','');
INSERT INTO "afterwork_minute" VALUES('2026-11-30 21:39:00.000000',1,'Order.flow','machine',3,0,0,1.02677264999783801613e-01,1.06922473500021619763e+00,'1 0 0 0 1 0 1','0 0 0 0 0 0 0 0 3');
INSERT INTO "afterwork_minute" VALUES('2026-11-30 21:39:00.000000',1,'Once.greet','once',1,0,0,3.98182000026281457394e-04,0.0,'1','');
INSERT INTO "afterwork_minute" VALUES('2026-11-30 21:39:00.000000',1,'Customer.total','cache',2,0,0,2.22025260004556912463e-02,3.37285473999544282985e-01,'1 0 0 0 0 1','0 0 0 0 0 0 0 2');
INSERT INTO "afterwork_minute" VALUES('2026-11-30 21:39:00.000000',1,'Remind','timer',2,0,0,7.5651999850379070267e-05,1.17184834800014958666e+00,'2','0 0 0 0 0 0 0 0 0 2');
INSERT INTO "afterwork_minute" VALUES('2026-11-30 21:39:00.000000',1,'Customer.nothing','ticket',0,1,0,0.0,1.747438,'1','');
INSERT INTO "afterwork_minute" VALUES('2026-11-30 21:39:00.000000',1,'Customer.assign_number','ticket',2,0,0,2.3398319999614614062e-03,3.49254416800003841814e+00,'1 1','0 0 0 0 0 0 0 0 0 0 2');
CREATE TABLE afterwork_once (
	name TEXT NOT NULL, 
	began DATETIME NOT NULL, 
	ended DATETIME, 
	seconds FLOAT, 
	result TEXT, 
	error TEXT, 
	PRIMARY KEY (name)
);
INSERT INTO "afterwork_once" VALUES('Once.greet','2026-11-30 21:39:43.829974','2026-11-30 21:39:43.830807',3.98182000026281457394e-04,'hello',NULL);
CREATE TABLE afterwork_progress (
	ticket TEXT NOT NULL, 
	done BIGINT, 
	total BIGINT, 
	at DATETIME NOT NULL, 
	stop BOOLEAN DEFAULT 0 NOT NULL, 
	PRIMARY KEY (ticket)
);
CREATE TABLE afterwork_quarantine (
	scope TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (scope)
);
CREATE TABLE afterwork_read (
	read_key BIGINT NOT NULL, 
	cache BIGINT NOT NULL, 
	PRIMARY KEY (read_key, cache)
)
 WITHOUT ROWID

;
INSERT INTO "afterwork_read" VALUES(140737488355329,1);
INSERT INTO "afterwork_read" VALUES(140737488355330,1);
INSERT INTO "afterwork_read" VALUES(140737488355331,2);
INSERT INTO "afterwork_read" VALUES(281474976710657,1);
INSERT INTO "afterwork_read" VALUES(281474976710658,2);
INSERT INTO "afterwork_read" VALUES(422212465065985,1);
INSERT INTO "afterwork_read" VALUES(422212465065986,2);
INSERT INTO "afterwork_read" VALUES(562949953421314,4);
INSERT INTO "afterwork_read" VALUES(562949953421315,5);
INSERT INTO "afterwork_read" VALUES(703687441776641,3);
CREATE TABLE afterwork_read_pattern (
	id INTEGER NOT NULL, 
	table_id INTEGER NOT NULL, 
	equal TEXT, 
	columns BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "afterwork_read_pattern" VALUES(1,2,NULL,4);
INSERT INTO "afterwork_read_pattern" VALUES(2,1,'8',0);
INSERT INTO "afterwork_read_pattern" VALUES(3,2,'["customer_id"]',0);
INSERT INTO "afterwork_read_pattern" VALUES(4,2,NULL,44);
INSERT INTO "afterwork_read_pattern" VALUES(5,2,NULL,32);
CREATE TABLE afterwork_recent (
	id INTEGER NOT NULL, 
	tx BIGINT, 
	changed_at TEXT NOT NULL, 
	table_id SMALLINT NOT NULL, 
	kind CHAR(1) NOT NULL, 
	"key" BIGINT, 
	key_text TEXT, 
	columns BIGINT NOT NULL, 
	old TEXT, 
	new TEXT
);
CREATE TABLE afterwork_refreshing (
	route INTEGER NOT NULL, 
	PRIMARY KEY (route)
);
CREATE TABLE afterwork_replaced (
	table_id SMALLINT NOT NULL, 
	"row" INTEGER, 
	"key" BIGINT, 
	key_text TEXT, 
	old TEXT, 
	route INTEGER, 
	v1 DEFAULT 0, 
	v2 DEFAULT 0, 
	v3 DEFAULT 0, 
	v4 DEFAULT 0, 
	v5 DEFAULT 0, 
	v6 DEFAULT 0
);
CREATE TABLE afterwork_route (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	application TEXT NOT NULL, 
	derivation TEXT NOT NULL, 
	table_id SMALLINT NOT NULL, 
	columns TEXT NOT NULL, 
	counting TEXT NOT NULL, 
	role TEXT NOT NULL, 
	at_commit BOOLEAN NOT NULL
);
INSERT INTO "afterwork_route" VALUES(1,'sys_async_ticket','Customer.largest',1,'["id"]','["largest"]','overwritten',0);
INSERT INTO "afterwork_route" VALUES(2,'sys_async_ticket','Customer.largest',1,'["id"]','["id"]','own',0);
INSERT INTO "afterwork_route" VALUES(3,'sys_async_ticket','Customer.largest',2,'["customer_id"]','["amount", "customer_id"]','back',0);
CREATE TABLE afterwork_run (
	id INTEGER NOT NULL, 
	run VARCHAR(36) NOT NULL, 
	ticket TEXT, 
	work TEXT NOT NULL, 
	root_id TEXT, 
	source VARCHAR(10) NOT NULL, 
	server BIGINT NOT NULL, 
	ended DATETIME NOT NULL, 
	seconds FLOAT NOT NULL, 
	outcome VARCHAR(10) NOT NULL, 
	attempt INTEGER NOT NULL, 
	error TEXT, 
	trace TEXT, 
	PRIMARY KEY (id)
);
INSERT INTO "afterwork_run" VALUES(1,'8dca1b18-c5a7-505b-8b5e-e4e02a1d55c8','3','Customer.nothing','Customer!1','ticket',1,'2026-11-30 21:39:45.261221',0.0,'failed',1,'''Customer.nothing'' is no view model, no method and no job function of this model. Near to it: Customer.shout.',NULL);
CREATE TABLE afterwork_server (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	host TEXT NOT NULL, 
	process INTEGER NOT NULL, 
	process_started FLOAT NOT NULL, 
	started DATETIME NOT NULL, 
	seen DATETIME NOT NULL, 
	locked BOOLEAN NOT NULL, 
	announced DATETIME, 
	beat DATETIME, 
	machine TEXT, 
	stopping BOOLEAN DEFAULT 0 NOT NULL, 
	knows TEXT, 
	serves TEXT, 
	draining BOOLEAN DEFAULT 0 NOT NULL
);
CREATE TABLE afterwork_slot (
	lane TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	lease VARCHAR(36), 
	PRIMARY KEY (lane, number)
);
CREATE TABLE afterwork_suspect (
	"key" TEXT NOT NULL, 
	deaths INTEGER DEFAULT '0' NOT NULL, 
	near INTEGER DEFAULT '0' NOT NULL, 
	cause VARCHAR(12) NOT NULL, 
	detail TEXT, 
	at DATETIME NOT NULL, 
	PRIMARY KEY ("key")
);
CREATE TABLE afterwork_timer (
	name TEXT NOT NULL, 
	schedule TEXT NOT NULL, 
	due DATETIME NOT NULL, 
	set_at DATETIME NOT NULL, 
	paused BOOLEAN DEFAULT 0 NOT NULL, 
	last_due DATETIME, 
	fired DATETIME, 
	ended DATETIME, 
	matches INTEGER DEFAULT '0' NOT NULL, 
	failed INTEGER DEFAULT '0' NOT NULL, 
	error TEXT, 
	PRIMARY KEY (name)
);
INSERT INTO "afterwork_timer" VALUES('Remind','every 1 day, 0:00:00','2026-12-01 21:39:43.720006','2026-11-30 21:39:44.849035',0,'2026-11-30 21:39:43.720006','2026-11-30 21:39:44.849035','2026-11-30 21:39:45.415650',2,0,NULL);
CREATE TABLE afterwork_total (
	work TEXT NOT NULL, 
	source VARCHAR(10) NOT NULL, 
	done BIGINT NOT NULL, 
	failed BIGINT NOT NULL, 
	put_off BIGINT NOT NULL, 
	seconds FLOAT NOT NULL, 
	wait FLOAT NOT NULL, 
	took TEXT NOT NULL, 
	latency TEXT NOT NULL, 
	PRIMARY KEY (work, source)
);
INSERT INTO "afterwork_total" VALUES('Customer.assign_number','ticket',2,0,0,2.3398319999614614062e-03,3.49254416800003841814e+00,'1 1','0 0 0 0 0 0 0 0 0 0 2');
INSERT INTO "afterwork_total" VALUES('Customer.largest','cache',2,0,0,4.7117435000018303981e-02,0.0,'0 0 0 0 0 2','');
INSERT INTO "afterwork_total" VALUES('Customer.nothing','ticket',0,1,0,0.0,1.747438,'1','');
INSERT INTO "afterwork_total" VALUES('Customer.total','cache',2,0,0,2.22025260004556912463e-02,3.37285473999544282985e-01,'1 0 0 0 0 1','0 0 0 0 0 0 0 2');
INSERT INTO "afterwork_total" VALUES('Once.greet','once',1,0,0,3.98182000026281457394e-04,0.0,'1','');
INSERT INTO "afterwork_total" VALUES('Order.flow','machine',3,0,0,1.02677264999783801613e-01,1.06922473500021619763e+00,'1 0 0 0 1 0 1','0 0 0 0 0 0 0 0 3');
INSERT INTO "afterwork_total" VALUES('Remind','timer',2,0,0,7.5651999850379070267e-05,1.17184834800014958666e+00,'2','0 0 0 0 0 0 0 0 0 2');
CREATE TABLE afterwork_touch (
	route INTEGER NOT NULL, 
	whole BOOLEAN DEFAULT 0 NOT NULL, 
	v1 DEFAULT 0, 
	v2 DEFAULT 0, 
	v3 DEFAULT 0, 
	v4 DEFAULT 0, 
	v5 DEFAULT 0, 
	v6 DEFAULT 0, 
	via INTEGER
);
INSERT INTO "afterwork_touch" VALUES(2,0,3,0,0,0,0,0,NULL);
INSERT INTO "afterwork_touch" VALUES(3,0,3,0,0,0,0,0,NULL);
INSERT INTO "afterwork_touch" VALUES(3,0,1,0,0,0,0,0,NULL);
CREATE TABLE afterwork_tracked_table (
	id SMALLINT NOT NULL, 
	name TEXT NOT NULL, 
	columns TEXT NOT NULL, 
	valued TEXT NOT NULL, 
	forms TEXT, 
	installed TEXT, 
	wanted TEXT, 
	relation TEXT, 
	marks TEXT, 
	fingerprint TEXT, 
	journaled TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "afterwork_tracked_table" VALUES(1,'customer','["id", "name", "number", "total", "largest"]','["id", "name", "number", "total", "largest"]','{"id": "integer", "name": "text", "number": "integer", "total": "integer", "largest": "integer"}','{"columns": ["id", "name", "number", "total", "largest"], "definition": "CREATE TRIGGER afterwork_1_inserting BEFORE INSERT ON \"customer\" FOR EACH ROW WHEN EXISTS (SELECT 1 FROM \"customer\" AS t WHERE ((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 1;\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 1, t.rowid, t.\"id\", NULL, (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(t.\"id\") WHEN ''blob'' THEN quote(t.\"id\") ELSE CAST(t.\"id\" AS TEXT) END, substr(CASE typeof(t.\"name\") WHEN ''blob'' THEN quote(t.\"name\") ELSE CAST(t.\"name\" AS TEXT) END, 1, 64), CASE typeof(t.\"number\") WHEN ''blob'' THEN quote(t.\"number\") ELSE CAST(t.\"number\" AS TEXT) END, CASE typeof(t.\"total\") WHEN ''blob'' THEN quote(t.\"total\") ELSE CAST(t.\"total\" AS TEXT) END, CASE typeof(t.\"largest\") WHEN ''blob'' THEN quote(t.\"largest\") ELSE CAST(t.\"largest\" AS TEXT) END)) FROM \"customer\" AS t WHERE ((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"));\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 1, t.rowid, t.\"id\", NULL, 2, t.\"id\" FROM \"customer\" AS t WHERE ((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"));\nEND\nCREATE TRIGGER afterwork_1_insert AFTER INSERT ON \"customer\" FOR EACH ROW BEGIN\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 1, ''D'', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 1 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM \"customer\" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;\n    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 1 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM \"customer\" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;\n    DELETE FROM afterwork_replaced WHERE table_id = 1;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 1, ''I'', NEW.\"id\", NULL, 9223372036854775807, NULL, (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(NEW.\"id\") WHEN ''blob'' THEN quote(NEW.\"id\") ELSE CAST(NEW.\"id\" AS TEXT) END, substr(CASE typeof(NEW.\"name\") WHEN ''blob'' THEN quote(NEW.\"name\") ELSE CAST(NEW.\"name\" AS TEXT) END, 1, 64), CASE typeof(NEW.\"number\") WHEN ''blob'' THEN quote(NEW.\"number\") ELSE CAST(NEW.\"number\" AS TEXT) END, CASE typeof(NEW.\"total\") WHEN ''blob'' THEN quote(NEW.\"total\") ELSE CAST(NEW.\"total\" AS TEXT) END, CASE typeof(NEW.\"largest\") WHEN ''blob'' THEN quote(NEW.\"largest\") ELSE CAST(NEW.\"largest\" AS TEXT) END));\n    INSERT INTO afterwork_touch (route, v1) SELECT 2, NEW.\"id\" WHERE true ON CONFLICT DO NOTHING;\nEND\nCREATE TRIGGER afterwork_1_updating BEFORE UPDATE ON \"customer\" FOR EACH ROW WHEN ((OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY)) AND EXISTS (SELECT 1 FROM \"customer\" AS t WHERE (((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) AND t.rowid IS NOT OLD.rowid) BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 1;\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 1, t.rowid, t.\"id\", NULL, (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(t.\"id\") WHEN ''blob'' THEN quote(t.\"id\") ELSE CAST(t.\"id\" AS TEXT) END, substr(CASE typeof(t.\"name\") WHEN ''blob'' THEN quote(t.\"name\") ELSE CAST(t.\"name\" AS TEXT) END, 1, 64), CASE typeof(t.\"number\") WHEN ''blob'' THEN quote(t.\"number\") ELSE CAST(t.\"number\" AS TEXT) END, CASE typeof(t.\"total\") WHEN ''blob'' THEN quote(t.\"total\") ELSE CAST(t.\"total\" AS TEXT) END, CASE typeof(t.\"largest\") WHEN ''blob'' THEN quote(t.\"largest\") ELSE CAST(t.\"largest\" AS TEXT) END)) FROM \"customer\" AS t WHERE (((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) AND t.rowid IS NOT OLD.rowid;\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 1, t.rowid, t.\"id\", NULL, 2, t.\"id\" FROM \"customer\" AS t WHERE (((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) AND t.rowid IS NOT OLD.rowid;\nEND\nCREATE TRIGGER afterwork_1_update AFTER UPDATE ON \"customer\" FOR EACH ROW WHEN ((OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY OR OLD.\"name\" IS NOT NEW.\"name\" COLLATE BINARY OR OLD.\"number\" IS NOT NEW.\"number\" COLLATE BINARY OR OLD.\"total\" IS NOT NEW.\"total\" COLLATE BINARY OR OLD.\"largest\" IS NOT NEW.\"largest\" COLLATE BINARY)) AND NOT ((OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY)) BEGIN\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 1, ''U'', NEW.\"id\", NULL, (CASE WHEN (OLD.\"name\" IS NOT NEW.\"name\" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD.\"number\" IS NOT NEW.\"number\" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD.\"total\" IS NOT NEW.\"total\" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD.\"largest\" IS NOT NEW.\"largest\" COLLATE BINARY) THEN 16 ELSE 0 END), (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(OLD.\"id\") WHEN ''blob'' THEN quote(OLD.\"id\") ELSE CAST(OLD.\"id\" AS TEXT) END, substr(CASE typeof(OLD.\"name\") WHEN ''blob'' THEN quote(OLD.\"name\") ELSE CAST(OLD.\"name\" AS TEXT) END, 1, 64), CASE typeof(OLD.\"number\") WHEN ''blob'' THEN quote(OLD.\"number\") ELSE CAST(OLD.\"number\" AS TEXT) END, CASE typeof(OLD.\"total\") WHEN ''blob'' THEN quote(OLD.\"total\") ELSE CAST(OLD.\"total\" AS TEXT) END, CASE typeof(OLD.\"largest\") WHEN ''blob'' THEN quote(OLD.\"largest\") ELSE CAST(OLD.\"largest\" AS TEXT) END)), (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(NEW.\"id\") WHEN ''blob'' THEN quote(NEW.\"id\") ELSE CAST(NEW.\"id\" AS TEXT) END, substr(CASE typeof(NEW.\"name\") WHEN ''blob'' THEN quote(NEW.\"name\") ELSE CAST(NEW.\"name\" AS TEXT) END, 1, 64), CASE typeof(NEW.\"number\") WHEN ''blob'' THEN quote(NEW.\"number\") ELSE CAST(NEW.\"number\" AS TEXT) END, CASE typeof(NEW.\"total\") WHEN ''blob'' THEN quote(NEW.\"total\") ELSE CAST(NEW.\"total\" AS TEXT) END, CASE typeof(NEW.\"largest\") WHEN ''blob'' THEN quote(NEW.\"largest\") ELSE CAST(NEW.\"largest\" AS TEXT) END)) WHERE (CASE WHEN (OLD.\"name\" IS NOT NEW.\"name\" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD.\"number\" IS NOT NEW.\"number\" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD.\"total\" IS NOT NEW.\"total\" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD.\"largest\" IS NOT NEW.\"largest\" COLLATE BINARY) THEN 16 ELSE 0 END) <> 0;\n    INSERT INTO afterwork_touch (route, v1) SELECT 1, NEW.\"id\" WHERE ((OLD.\"largest\" IS NOT NEW.\"largest\" COLLATE BINARY)) AND NOT EXISTS (SELECT 1 FROM afterwork_refreshing WHERE route = 1) ON CONFLICT DO NOTHING;\nEND\nCREATE TRIGGER afterwork_1_move AFTER UPDATE ON \"customer\" FOR EACH ROW WHEN (OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY) BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 1 AND row IS OLD.rowid;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 1, ''D'', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 1 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM \"customer\" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;\n    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 1 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM \"customer\" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;\n    DELETE FROM afterwork_replaced WHERE table_id = 1;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 1, ''D'', OLD.\"id\", NULL, 9223372036854775807, (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(OLD.\"id\") WHEN ''blob'' THEN quote(OLD.\"id\") ELSE CAST(OLD.\"id\" AS TEXT) END, substr(CASE typeof(OLD.\"name\") WHEN ''blob'' THEN quote(OLD.\"name\") ELSE CAST(OLD.\"name\" AS TEXT) END, 1, 64), CASE typeof(OLD.\"number\") WHEN ''blob'' THEN quote(OLD.\"number\") ELSE CAST(OLD.\"number\" AS TEXT) END, CASE typeof(OLD.\"total\") WHEN ''blob'' THEN quote(OLD.\"total\") ELSE CAST(OLD.\"total\" AS TEXT) END, CASE typeof(OLD.\"largest\") WHEN ''blob'' THEN quote(OLD.\"largest\") ELSE CAST(OLD.\"largest\" AS TEXT) END)), NULL;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 1, ''I'', NEW.\"id\", NULL, 9223372036854775807, NULL, (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(NEW.\"id\") WHEN ''blob'' THEN quote(NEW.\"id\") ELSE CAST(NEW.\"id\" AS TEXT) END, substr(CASE typeof(NEW.\"name\") WHEN ''blob'' THEN quote(NEW.\"name\") ELSE CAST(NEW.\"name\" AS TEXT) END, 1, 64), CASE typeof(NEW.\"number\") WHEN ''blob'' THEN quote(NEW.\"number\") ELSE CAST(NEW.\"number\" AS TEXT) END, CASE typeof(NEW.\"total\") WHEN ''blob'' THEN quote(NEW.\"total\") ELSE CAST(NEW.\"total\" AS TEXT) END, CASE typeof(NEW.\"largest\") WHEN ''blob'' THEN quote(NEW.\"largest\") ELSE CAST(NEW.\"largest\" AS TEXT) END));\n    INSERT INTO afterwork_touch (route, v1) SELECT 2, OLD.\"id\" WHERE true ON CONFLICT DO NOTHING;\n    INSERT INTO afterwork_touch (route, v1) SELECT 2, NEW.\"id\" WHERE true ON CONFLICT DO NOTHING;\nEND\nCREATE TRIGGER afterwork_1_delete AFTER DELETE ON \"customer\" FOR EACH ROW BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 1 AND row IS OLD.rowid;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 1, ''D'', OLD.\"id\", NULL, 9223372036854775807, (printf(''%Q,%Q,%Q,%Q,%Q'', CASE typeof(OLD.\"id\") WHEN ''blob'' THEN quote(OLD.\"id\") ELSE CAST(OLD.\"id\" AS TEXT) END, substr(CASE typeof(OLD.\"name\") WHEN ''blob'' THEN quote(OLD.\"name\") ELSE CAST(OLD.\"name\" AS TEXT) END, 1, 64), CASE typeof(OLD.\"number\") WHEN ''blob'' THEN quote(OLD.\"number\") ELSE CAST(OLD.\"number\" AS TEXT) END, CASE typeof(OLD.\"total\") WHEN ''blob'' THEN quote(OLD.\"total\") ELSE CAST(OLD.\"total\" AS TEXT) END, CASE typeof(OLD.\"largest\") WHEN ''blob'' THEN quote(OLD.\"largest\") ELSE CAST(OLD.\"largest\" AS TEXT) END)), NULL;\n    INSERT INTO afterwork_touch (route, v1) SELECT 2, OLD.\"id\" WHERE true ON CONFLICT DO NOTHING;\nEND"}','{"sys_async_ticket": ["id", "name", "number", "total", "largest"]}',NULL,'{"journal": {"": ["1312605939714", ""]}, "table": {"": ["", "customer"]}, "trigger": {"afterwork_1_delete": [" 93666ce4d64afae1", "afterwork_1_delete of customer"], "afterwork_1_insert": [" 204f3f9fd090fa8f", "afterwork_1_insert of customer"], "afterwork_1_inserting": [" 21e951cec5446a0f", "afterwork_1_inserting of customer"], "afterwork_1_move": [" 26f639530a4fb636", "afterwork_1_move of customer"], "afterwork_1_update": [" 617dda9e941aeced", "afterwork_1_update of customer"], "afterwork_1_updating": [" 36429ce772bf3653", "afterwork_1_updating of customer"]}}','75','["sys_async_ticket"]');
INSERT INTO "afterwork_tracked_table" VALUES(2,'customer_order','["id", "customer_id", "amount", "received", "reminders", "state"]','["id", "customer_id", "amount", "received", "reminders", "state"]','{"id": "integer", "customer_id": "integer", "amount": "integer", "received": "integer", "reminders": "integer", "state": "text"}','{"columns": ["id", "customer_id", "amount", "received", "reminders", "state"], "definition": "CREATE TRIGGER afterwork_2_inserting BEFORE INSERT ON \"customer_order\" FOR EACH ROW WHEN EXISTS (SELECT 1 FROM \"customer_order\" AS t WHERE ((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 2;\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 2, t.rowid, t.\"id\", NULL, (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(t.\"id\") WHEN ''blob'' THEN quote(t.\"id\") ELSE CAST(t.\"id\" AS TEXT) END, CASE typeof(t.\"customer_id\") WHEN ''blob'' THEN quote(t.\"customer_id\") ELSE CAST(t.\"customer_id\" AS TEXT) END, CASE typeof(t.\"amount\") WHEN ''blob'' THEN quote(t.\"amount\") ELSE CAST(t.\"amount\" AS TEXT) END, CASE typeof(t.\"received\") WHEN ''blob'' THEN quote(t.\"received\") ELSE CAST(t.\"received\" AS TEXT) END, CASE typeof(t.\"reminders\") WHEN ''blob'' THEN quote(t.\"reminders\") ELSE CAST(t.\"reminders\" AS TEXT) END, substr(CASE typeof(t.\"state\") WHEN ''blob'' THEN quote(t.\"state\") ELSE CAST(t.\"state\" AS TEXT) END, 1, 64))) FROM \"customer_order\" AS t WHERE ((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"));\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 2, t.rowid, t.\"id\", NULL, 3, t.\"customer_id\" FROM \"customer_order\" AS t WHERE ((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"));\nEND\nCREATE TRIGGER afterwork_2_insert AFTER INSERT ON \"customer_order\" FOR EACH ROW BEGIN\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 2, ''D'', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 2 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM \"customer_order\" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;\n    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 2 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM \"customer_order\" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;\n    DELETE FROM afterwork_replaced WHERE table_id = 2;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 2, ''I'', NEW.\"id\", NULL, 9223372036854775807, NULL, (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(NEW.\"id\") WHEN ''blob'' THEN quote(NEW.\"id\") ELSE CAST(NEW.\"id\" AS TEXT) END, CASE typeof(NEW.\"customer_id\") WHEN ''blob'' THEN quote(NEW.\"customer_id\") ELSE CAST(NEW.\"customer_id\" AS TEXT) END, CASE typeof(NEW.\"amount\") WHEN ''blob'' THEN quote(NEW.\"amount\") ELSE CAST(NEW.\"amount\" AS TEXT) END, CASE typeof(NEW.\"received\") WHEN ''blob'' THEN quote(NEW.\"received\") ELSE CAST(NEW.\"received\" AS TEXT) END, CASE typeof(NEW.\"reminders\") WHEN ''blob'' THEN quote(NEW.\"reminders\") ELSE CAST(NEW.\"reminders\" AS TEXT) END, substr(CASE typeof(NEW.\"state\") WHEN ''blob'' THEN quote(NEW.\"state\") ELSE CAST(NEW.\"state\" AS TEXT) END, 1, 64)));\n    INSERT INTO afterwork_touch (route, v1) SELECT 3, NEW.\"customer_id\" WHERE true ON CONFLICT DO NOTHING;\nEND\nCREATE TRIGGER afterwork_2_updating BEFORE UPDATE ON \"customer_order\" FOR EACH ROW WHEN ((OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY)) AND EXISTS (SELECT 1 FROM \"customer_order\" AS t WHERE (((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) AND t.rowid IS NOT OLD.rowid) BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 2;\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 2, t.rowid, t.\"id\", NULL, (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(t.\"id\") WHEN ''blob'' THEN quote(t.\"id\") ELSE CAST(t.\"id\" AS TEXT) END, CASE typeof(t.\"customer_id\") WHEN ''blob'' THEN quote(t.\"customer_id\") ELSE CAST(t.\"customer_id\" AS TEXT) END, CASE typeof(t.\"amount\") WHEN ''blob'' THEN quote(t.\"amount\") ELSE CAST(t.\"amount\" AS TEXT) END, CASE typeof(t.\"received\") WHEN ''blob'' THEN quote(t.\"received\") ELSE CAST(t.\"received\" AS TEXT) END, CASE typeof(t.\"reminders\") WHEN ''blob'' THEN quote(t.\"reminders\") ELSE CAST(t.\"reminders\" AS TEXT) END, substr(CASE typeof(t.\"state\") WHEN ''blob'' THEN quote(t.\"state\") ELSE CAST(t.\"state\" AS TEXT) END, 1, 64))) FROM \"customer_order\" AS t WHERE (((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) AND t.rowid IS NOT OLD.rowid;\n    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 2, t.rowid, t.\"id\", NULL, 3, t.\"customer_id\" FROM \"customer_order\" AS t WHERE (((t.\"id\" = NEW.\"id\" COLLATE \"BINARY\"))) AND t.rowid IS NOT OLD.rowid;\nEND\nCREATE TRIGGER afterwork_2_update AFTER UPDATE ON \"customer_order\" FOR EACH ROW WHEN ((OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY OR OLD.\"customer_id\" IS NOT NEW.\"customer_id\" COLLATE BINARY OR OLD.\"amount\" IS NOT NEW.\"amount\" COLLATE BINARY OR OLD.\"received\" IS NOT NEW.\"received\" COLLATE BINARY OR OLD.\"reminders\" IS NOT NEW.\"reminders\" COLLATE BINARY OR OLD.\"state\" IS NOT NEW.\"state\" COLLATE BINARY)) AND NOT ((OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY)) BEGIN\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 2, ''U'', NEW.\"id\", NULL, (CASE WHEN (OLD.\"customer_id\" IS NOT NEW.\"customer_id\" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD.\"amount\" IS NOT NEW.\"amount\" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD.\"received\" IS NOT NEW.\"received\" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD.\"reminders\" IS NOT NEW.\"reminders\" COLLATE BINARY) THEN 16 ELSE 0 END | CASE WHEN (OLD.\"state\" IS NOT NEW.\"state\" COLLATE BINARY) THEN 32 ELSE 0 END), (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(OLD.\"id\") WHEN ''blob'' THEN quote(OLD.\"id\") ELSE CAST(OLD.\"id\" AS TEXT) END, CASE typeof(OLD.\"customer_id\") WHEN ''blob'' THEN quote(OLD.\"customer_id\") ELSE CAST(OLD.\"customer_id\" AS TEXT) END, CASE typeof(OLD.\"amount\") WHEN ''blob'' THEN quote(OLD.\"amount\") ELSE CAST(OLD.\"amount\" AS TEXT) END, CASE typeof(OLD.\"received\") WHEN ''blob'' THEN quote(OLD.\"received\") ELSE CAST(OLD.\"received\" AS TEXT) END, CASE typeof(OLD.\"reminders\") WHEN ''blob'' THEN quote(OLD.\"reminders\") ELSE CAST(OLD.\"reminders\" AS TEXT) END, substr(CASE typeof(OLD.\"state\") WHEN ''blob'' THEN quote(OLD.\"state\") ELSE CAST(OLD.\"state\" AS TEXT) END, 1, 64))), (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(NEW.\"id\") WHEN ''blob'' THEN quote(NEW.\"id\") ELSE CAST(NEW.\"id\" AS TEXT) END, CASE typeof(NEW.\"customer_id\") WHEN ''blob'' THEN quote(NEW.\"customer_id\") ELSE CAST(NEW.\"customer_id\" AS TEXT) END, CASE typeof(NEW.\"amount\") WHEN ''blob'' THEN quote(NEW.\"amount\") ELSE CAST(NEW.\"amount\" AS TEXT) END, CASE typeof(NEW.\"received\") WHEN ''blob'' THEN quote(NEW.\"received\") ELSE CAST(NEW.\"received\" AS TEXT) END, CASE typeof(NEW.\"reminders\") WHEN ''blob'' THEN quote(NEW.\"reminders\") ELSE CAST(NEW.\"reminders\" AS TEXT) END, substr(CASE typeof(NEW.\"state\") WHEN ''blob'' THEN quote(NEW.\"state\") ELSE CAST(NEW.\"state\" AS TEXT) END, 1, 64))) WHERE (CASE WHEN (OLD.\"customer_id\" IS NOT NEW.\"customer_id\" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD.\"amount\" IS NOT NEW.\"amount\" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD.\"received\" IS NOT NEW.\"received\" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD.\"reminders\" IS NOT NEW.\"reminders\" COLLATE BINARY) THEN 16 ELSE 0 END | CASE WHEN (OLD.\"state\" IS NOT NEW.\"state\" COLLATE BINARY) THEN 32 ELSE 0 END) <> 0;\n    INSERT INTO afterwork_touch (route, v1) SELECT 3, OLD.\"customer_id\" WHERE ((OLD.\"amount\" IS NOT NEW.\"amount\" COLLATE BINARY OR OLD.\"customer_id\" IS NOT NEW.\"customer_id\" COLLATE BINARY)) UNION ALL SELECT 3, NEW.\"customer_id\" WHERE ((OLD.\"amount\" IS NOT NEW.\"amount\" COLLATE BINARY OR OLD.\"customer_id\" IS NOT NEW.\"customer_id\" COLLATE BINARY)) AND ((OLD.\"customer_id\" IS NOT NEW.\"customer_id\" COLLATE BINARY)) ON CONFLICT DO NOTHING;\nEND\nCREATE TRIGGER afterwork_2_move AFTER UPDATE ON \"customer_order\" FOR EACH ROW WHEN (OLD.\"id\" IS NOT NEW.\"id\" COLLATE BINARY) BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 2 AND row IS OLD.rowid;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 2, ''D'', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 2 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM \"customer_order\" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;\n    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 2 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM \"customer_order\" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;\n    DELETE FROM afterwork_replaced WHERE table_id = 2;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 2, ''D'', OLD.\"id\", NULL, 9223372036854775807, (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(OLD.\"id\") WHEN ''blob'' THEN quote(OLD.\"id\") ELSE CAST(OLD.\"id\" AS TEXT) END, CASE typeof(OLD.\"customer_id\") WHEN ''blob'' THEN quote(OLD.\"customer_id\") ELSE CAST(OLD.\"customer_id\" AS TEXT) END, CASE typeof(OLD.\"amount\") WHEN ''blob'' THEN quote(OLD.\"amount\") ELSE CAST(OLD.\"amount\" AS TEXT) END, CASE typeof(OLD.\"received\") WHEN ''blob'' THEN quote(OLD.\"received\") ELSE CAST(OLD.\"received\" AS TEXT) END, CASE typeof(OLD.\"reminders\") WHEN ''blob'' THEN quote(OLD.\"reminders\") ELSE CAST(OLD.\"reminders\" AS TEXT) END, substr(CASE typeof(OLD.\"state\") WHEN ''blob'' THEN quote(OLD.\"state\") ELSE CAST(OLD.\"state\" AS TEXT) END, 1, 64))), NULL;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 2, ''I'', NEW.\"id\", NULL, 9223372036854775807, NULL, (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(NEW.\"id\") WHEN ''blob'' THEN quote(NEW.\"id\") ELSE CAST(NEW.\"id\" AS TEXT) END, CASE typeof(NEW.\"customer_id\") WHEN ''blob'' THEN quote(NEW.\"customer_id\") ELSE CAST(NEW.\"customer_id\" AS TEXT) END, CASE typeof(NEW.\"amount\") WHEN ''blob'' THEN quote(NEW.\"amount\") ELSE CAST(NEW.\"amount\" AS TEXT) END, CASE typeof(NEW.\"received\") WHEN ''blob'' THEN quote(NEW.\"received\") ELSE CAST(NEW.\"received\" AS TEXT) END, CASE typeof(NEW.\"reminders\") WHEN ''blob'' THEN quote(NEW.\"reminders\") ELSE CAST(NEW.\"reminders\" AS TEXT) END, substr(CASE typeof(NEW.\"state\") WHEN ''blob'' THEN quote(NEW.\"state\") ELSE CAST(NEW.\"state\" AS TEXT) END, 1, 64)));\n    INSERT INTO afterwork_touch (route, v1) SELECT 3, OLD.\"customer_id\" WHERE true ON CONFLICT DO NOTHING;\n    INSERT INTO afterwork_touch (route, v1) SELECT 3, NEW.\"customer_id\" WHERE true ON CONFLICT DO NOTHING;\nEND\nCREATE TRIGGER afterwork_2_delete AFTER DELETE ON \"customer_order\" FOR EACH ROW BEGIN\n    DELETE FROM afterwork_replaced WHERE table_id = 2 AND row IS OLD.rowid;\n    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime(''%Y-%m-%dT%H:%M:%fZ'', ''now''), 2, ''D'', OLD.\"id\", NULL, 9223372036854775807, (printf(''%Q,%Q,%Q,%Q,%Q,%Q'', CASE typeof(OLD.\"id\") WHEN ''blob'' THEN quote(OLD.\"id\") ELSE CAST(OLD.\"id\" AS TEXT) END, CASE typeof(OLD.\"customer_id\") WHEN ''blob'' THEN quote(OLD.\"customer_id\") ELSE CAST(OLD.\"customer_id\" AS TEXT) END, CASE typeof(OLD.\"amount\") WHEN ''blob'' THEN quote(OLD.\"amount\") ELSE CAST(OLD.\"amount\" AS TEXT) END, CASE typeof(OLD.\"received\") WHEN ''blob'' THEN quote(OLD.\"received\") ELSE CAST(OLD.\"received\" AS TEXT) END, CASE typeof(OLD.\"reminders\") WHEN ''blob'' THEN quote(OLD.\"reminders\") ELSE CAST(OLD.\"reminders\" AS TEXT) END, substr(CASE typeof(OLD.\"state\") WHEN ''blob'' THEN quote(OLD.\"state\") ELSE CAST(OLD.\"state\" AS TEXT) END, 1, 64))), NULL;\n    INSERT INTO afterwork_touch (route, v1) SELECT 3, OLD.\"customer_id\" WHERE true ON CONFLICT DO NOTHING;\nEND"}','{"sys_async_ticket": ["id", "customer_id", "amount", "received", "reminders", "state"]}',NULL,'{"journal": {"": ["1312605939714", ""]}, "table": {"": ["", "customer_order"]}, "trigger": {"afterwork_2_delete": [" 04403b8b5322106f", "afterwork_2_delete of customer_order"], "afterwork_2_insert": [" a6bcf6aa7d92b3ea", "afterwork_2_insert of customer_order"], "afterwork_2_inserting": [" c23a6269b96cf125", "afterwork_2_inserting of customer_order"], "afterwork_2_move": [" cf49517599843c5a", "afterwork_2_move of customer_order"], "afterwork_2_update": [" 03424b2e1f808646", "afterwork_2_update of customer_order"], "afterwork_2_updating": [" bb46f607778d449b", "afterwork_2_updating of customer_order"]}}','75','["sys_async_ticket"]');
CREATE TABLE afterwork_transition (
	id INTEGER NOT NULL, 
	root_id TEXT NOT NULL, 
	machine TEXT NOT NULL, 
	source TEXT, 
	target TEXT, 
	event TEXT, 
	mover TEXT, 
	at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "afterwork_transition" VALUES(1,'Order!1','flow',NULL,'placed',NULL,NULL,'2026-11-30 21:39:43.465866');
INSERT INTO "afterwork_transition" VALUES(2,'Order!2','flow',NULL,'placed',NULL,NULL,'2026-11-30 21:39:43.466438');
INSERT INTO "afterwork_transition" VALUES(3,'Order!3','flow',NULL,'placed',NULL,NULL,'2026-11-30 21:39:43.466870');
INSERT INTO "afterwork_transition" VALUES(4,'Order!1','flow','placed','paid',NULL,'Order.flow','2026-11-30 21:39:44.558091');
INSERT INTO "afterwork_transition" VALUES(5,'Order!4','flow',NULL,'placed',NULL,NULL,'2026-11-30 21:39:45.622441');
CREATE TABLE afterwork_unnoted_match (
	timer TEXT NOT NULL, 
	first DATETIME NOT NULL, 
	size INTEGER NOT NULL, 
	roots TEXT NOT NULL, 
	due DATETIME NOT NULL, 
	variables TEXT, 
	PRIMARY KEY (timer, first)
);
CREATE TABLE afterwork_use (
	derivation INTEGER NOT NULL, 
	read_pattern INTEGER NOT NULL, 
	PRIMARY KEY (derivation, read_pattern)
);
INSERT INTO "afterwork_use" VALUES(1,1);
INSERT INTO "afterwork_use" VALUES(1,2);
INSERT INTO "afterwork_use" VALUES(1,3);
INSERT INTO "afterwork_use" VALUES(3,4);
INSERT INTO "afterwork_use" VALUES(3,5);
CREATE TABLE afterwork_wait (
	reader BIGINT NOT NULL, 
	feeder BIGINT NOT NULL, 
	PRIMARY KEY (reader, feeder)
);
CREATE TABLE customer (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	number INTEGER, 
	total INTEGER NOT NULL, 
	largest INTEGER NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "customer" VALUES(1,'Ann',1,50,30);
INSERT INTO "customer" VALUES(2,'Bob',2,5,5);
INSERT INTO "customer" VALUES(3,'Cid',NULL,0,0);
CREATE TABLE customer_order (
	id INTEGER NOT NULL, 
	customer_id INTEGER NOT NULL, 
	amount INTEGER NOT NULL, 
	received INTEGER NOT NULL, 
	reminders INTEGER NOT NULL, 
	state VARCHAR, 
	PRIMARY KEY (id), 
	FOREIGN KEY(customer_id) REFERENCES customer (id)
);
INSERT INTO "customer_order" VALUES(1,1,20,20,0,'paid');
INSERT INTO "customer_order" VALUES(2,1,40,40,1,'placed');
INSERT INTO "customer_order" VALUES(3,2,5,0,1,'placed');
INSERT INTO "customer_order" VALUES(4,3,7,0,0,'placed');
CREATE TABLE sys_async_ticket (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	view_model TEXT, 
	root_id TEXT, 
	execute_earliest DATETIME, 
	keep_receipt_minutes INTEGER DEFAULT '10' NOT NULL, 
	done DATETIME, 
	delete_time DATETIME, 
	error TEXT, 
	priority INTEGER, 
	lane TEXT, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	created DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, 
	not_after DATETIME
);
INSERT INTO "sys_async_ticket" VALUES(1,'Customer.assign_number','Customer!1',NULL,52560000,'2026-11-30 21:39:45.093887','2126-11-06 21:39:45.093887',NULL,NULL,NULL,1,'2026-11-30 21:39:43.513776',NULL);
INSERT INTO "sys_async_ticket" VALUES(2,'Customer.assign_number','Customer!2',NULL,52560000,'2026-11-30 21:39:45.093887','2126-11-06 21:39:45.093887',NULL,NULL,NULL,1,'2026-11-30 21:39:43.513782',NULL);
INSERT INTO "sys_async_ticket" VALUES(3,'Customer.nothing','Customer!1',NULL,1000000,'2026-11-30 21:39:45.093887','2028-10-25 08:19:45.093887','''Customer.nothing'' is no view model, no method and no job function of this model. Near to it: Customer.shout.',NULL,NULL,1,'2026-11-30 21:39:43.513783',NULL);
INSERT INTO "sys_async_ticket" VALUES(4,'Customer.assign_number','Customer!3',NULL,52560000,NULL,NULL,NULL,NULL,NULL,0,'2026-11-30 21:39:45.645289',NULL);
INSERT INTO "sys_async_ticket" VALUES(5,'Customer.shout','Customer!1',NULL,52560000,NULL,NULL,NULL,NULL,'names',0,'2026-11-30 21:39:45.664708',NULL);
CREATE INDEX afterwork_cache_failed ON afterwork_cache (derivation, root) WHERE error IS NOT NULL;
CREATE INDEX afterwork_due_claimed ON afterwork_due (derivation, claim) WHERE claim IS NOT NULL;
CREATE INDEX afterwork_due_next ON afterwork_due (derivation, backfill, due, cache) WHERE claim IS NULL;
CREATE INDEX afterwork_lease_server ON afterwork_lease (server);
CREATE INDEX afterwork_match_timer ON afterwork_match (view_model, root_id);
CREATE UNIQUE INDEX afterwork_read_pattern_once ON afterwork_read_pattern (table_id, coalesce(equal, ''), columns);
CREATE INDEX afterwork_run_outcome ON afterwork_run (outcome, ended, id);
CREATE INDEX afterwork_run_work ON afterwork_run (work, ended, id);
CREATE INDEX afterwork_run_work_outcome ON afterwork_run (work, outcome, ended, id);
CREATE INDEX afterwork_run_ticket ON afterwork_run (ticket, ended, id);
CREATE INDEX afterwork_run_ended ON afterwork_run (ended, id);
CREATE INDEX afterwork_run_root ON afterwork_run (root_id, ended, id);
CREATE INDEX afterwork_timer_due ON afterwork_timer (due);
CREATE UNIQUE INDEX afterwork_touch_values ON afterwork_touch (route, v1, v2, v3, v4, v5, v6, whole);
CREATE INDEX afterwork_transition_root ON afterwork_transition (root_id, machine, id);
CREATE INDEX afterwork_wait_feeder ON afterwork_wait (feeder);
CREATE INDEX afterwork_sys_async_ticket_place ON sys_async_ticket (coalesce(lane, 'main'), coalesce(priority, 2147483647), CASE WHEN (execute_earliest IS NULL) THEN coalesce(CASE WHEN ((created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*') AND substr(created, 6, 2) BETWEEN '01' AND '12' AND substr(created, 9, 2) BETWEEN '01' AND CASE WHEN (substr(created, 6, 2) IN ('04', '06', '09', '11')) THEN '30' WHEN (substr(created, 6, 2) = '02') THEN CASE WHEN (CASE WHEN (CAST(substr(created, 1, 4) AS INTEGER) % 100 = 0) THEN CAST(substr(created, 1, 4) AS INTEGER) % 400 ELSE CAST(substr(created, 1, 4) AS INTEGER) % 4 END = 0) THEN '29' ELSE '28' END ELSE '31' END AND (length(created) = 10 OR (created GLOB '??????????[ T][0-2][0-9]:[0-5][0-9]*') AND substr(created, 12, 2) <= '23' AND (substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))) = '' OR ((substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))) GLOB ':[0-5][0-9]') OR (substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))) GLOB ':[0-5][0-9].[0-9]*')) AND NOT (substr(substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))), 5) GLOB '*[^0-9]*')) AND (ltrim(substr(created, 17), ':.0123456789') IN ('', 'Z') OR (ltrim(substr(created, 17), ':.0123456789') GLOB '[+-][0-2][0-9]:[0-5][0-9]')))) THEN created END, '1970-01-01 00:00:00.000000') WHEN ((execute_earliest GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*') AND substr(execute_earliest, 6, 2) BETWEEN '01' AND '12' AND substr(execute_earliest, 9, 2) BETWEEN '01' AND CASE WHEN (substr(execute_earliest, 6, 2) IN ('04', '06', '09', '11')) THEN '30' WHEN (substr(execute_earliest, 6, 2) = '02') THEN CASE WHEN (CASE WHEN (CAST(substr(execute_earliest, 1, 4) AS INTEGER) % 100 = 0) THEN CAST(substr(execute_earliest, 1, 4) AS INTEGER) % 400 ELSE CAST(substr(execute_earliest, 1, 4) AS INTEGER) % 4 END = 0) THEN '29' ELSE '28' END ELSE '31' END AND (length(execute_earliest) = 10 OR (execute_earliest GLOB '??????????[ T][0-2][0-9]:[0-5][0-9]*') AND substr(execute_earliest, 12, 2) <= '23' AND (substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))) = '' OR ((substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))) GLOB ':[0-5][0-9]') OR (substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))) GLOB ':[0-5][0-9].[0-9]*')) AND NOT (substr(substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))), 5) GLOB '*[^0-9]*')) AND (ltrim(substr(execute_earliest, 17), ':.0123456789') IN ('', 'Z') OR (ltrim(substr(execute_earliest, 17), ':.0123456789') GLOB '[+-][0-2][0-9]:[0-5][0-9]')))) THEN execute_earliest ELSE '' END, id) WHERE done IS NULL AND error IS NULL;
CREATE INDEX afterwork_sys_async_ticket_root ON sys_async_ticket (root_id, view_model) WHERE done IS NULL AND error IS NULL;
CREATE INDEX afterwork_sys_async_ticket_ended ON sys_async_ticket (delete_time) WHERE delete_time IS NOT NULL;
CREATE INDEX afterwork_sys_async_ticket_failed ON sys_async_ticket (id) WHERE error IS NOT NULL;
CREATE INDEX afterwork_match_place ON afterwork_match (coalesce(lane, 'main'), coalesce(priority, 2147483647), CASE WHEN (execute_earliest IS NULL) THEN coalesce(CASE WHEN ((created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*') AND substr(created, 6, 2) BETWEEN '01' AND '12' AND substr(created, 9, 2) BETWEEN '01' AND CASE WHEN (substr(created, 6, 2) IN ('04', '06', '09', '11')) THEN '30' WHEN (substr(created, 6, 2) = '02') THEN CASE WHEN (CASE WHEN (CAST(substr(created, 1, 4) AS INTEGER) % 100 = 0) THEN CAST(substr(created, 1, 4) AS INTEGER) % 400 ELSE CAST(substr(created, 1, 4) AS INTEGER) % 4 END = 0) THEN '29' ELSE '28' END ELSE '31' END AND (length(created) = 10 OR (created GLOB '??????????[ T][0-2][0-9]:[0-5][0-9]*') AND substr(created, 12, 2) <= '23' AND (substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))) = '' OR ((substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))) GLOB ':[0-5][0-9]') OR (substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))) GLOB ':[0-5][0-9].[0-9]*')) AND NOT (substr(substr(substr(created, 17), 1, length(substr(created, 17)) - length(ltrim(substr(created, 17), ':.0123456789'))), 5) GLOB '*[^0-9]*')) AND (ltrim(substr(created, 17), ':.0123456789') IN ('', 'Z') OR (ltrim(substr(created, 17), ':.0123456789') GLOB '[+-][0-2][0-9]:[0-5][0-9]')))) THEN created END, '1970-01-01 00:00:00.000000') WHEN ((execute_earliest GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*') AND substr(execute_earliest, 6, 2) BETWEEN '01' AND '12' AND substr(execute_earliest, 9, 2) BETWEEN '01' AND CASE WHEN (substr(execute_earliest, 6, 2) IN ('04', '06', '09', '11')) THEN '30' WHEN (substr(execute_earliest, 6, 2) = '02') THEN CASE WHEN (CASE WHEN (CAST(substr(execute_earliest, 1, 4) AS INTEGER) % 100 = 0) THEN CAST(substr(execute_earliest, 1, 4) AS INTEGER) % 400 ELSE CAST(substr(execute_earliest, 1, 4) AS INTEGER) % 4 END = 0) THEN '29' ELSE '28' END ELSE '31' END AND (length(execute_earliest) = 10 OR (execute_earliest GLOB '??????????[ T][0-2][0-9]:[0-5][0-9]*') AND substr(execute_earliest, 12, 2) <= '23' AND (substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))) = '' OR ((substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))) GLOB ':[0-5][0-9]') OR (substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))) GLOB ':[0-5][0-9].[0-9]*')) AND NOT (substr(substr(substr(execute_earliest, 17), 1, length(substr(execute_earliest, 17)) - length(ltrim(substr(execute_earliest, 17), ':.0123456789'))), 5) GLOB '*[^0-9]*')) AND (ltrim(substr(execute_earliest, 17), ':.0123456789') IN ('', 'Z') OR (ltrim(substr(execute_earliest, 17), ':.0123456789') GLOB '[+-][0-2][0-9]:[0-5][0-9]')))) THEN execute_earliest ELSE '' END, id) WHERE done IS NULL AND error IS NULL;
CREATE INDEX afterwork_match_root ON afterwork_match (root_id, view_model) WHERE done IS NULL AND error IS NULL;
CREATE INDEX afterwork_match_ended ON afterwork_match (delete_time) WHERE delete_time IS NOT NULL;
CREATE INDEX afterwork_match_failed ON afterwork_match (id) WHERE error IS NOT NULL;
CREATE TRIGGER afterwork_1_inserting BEFORE INSERT ON "customer" FOR EACH ROW WHEN EXISTS (SELECT 1 FROM "customer" AS t WHERE ((t."id" = NEW."id" COLLATE "BINARY"))) BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 1;
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 1, t.rowid, t."id", NULL, (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(t."id") WHEN 'blob' THEN quote(t."id") ELSE CAST(t."id" AS TEXT) END, substr(CASE typeof(t."name") WHEN 'blob' THEN quote(t."name") ELSE CAST(t."name" AS TEXT) END, 1, 64), CASE typeof(t."number") WHEN 'blob' THEN quote(t."number") ELSE CAST(t."number" AS TEXT) END, CASE typeof(t."total") WHEN 'blob' THEN quote(t."total") ELSE CAST(t."total" AS TEXT) END, CASE typeof(t."largest") WHEN 'blob' THEN quote(t."largest") ELSE CAST(t."largest" AS TEXT) END)) FROM "customer" AS t WHERE ((t."id" = NEW."id" COLLATE "BINARY"));
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 1, t.rowid, t."id", NULL, 2, t."id" FROM "customer" AS t WHERE ((t."id" = NEW."id" COLLATE "BINARY"));
END;
CREATE TRIGGER afterwork_1_insert AFTER INSERT ON "customer" FOR EACH ROW BEGIN
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 1, 'D', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 1 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM "customer" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;
    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 1 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM "customer" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;
    DELETE FROM afterwork_replaced WHERE table_id = 1;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 1, 'I', NEW."id", NULL, 9223372036854775807, NULL, (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(NEW."id") WHEN 'blob' THEN quote(NEW."id") ELSE CAST(NEW."id" AS TEXT) END, substr(CASE typeof(NEW."name") WHEN 'blob' THEN quote(NEW."name") ELSE CAST(NEW."name" AS TEXT) END, 1, 64), CASE typeof(NEW."number") WHEN 'blob' THEN quote(NEW."number") ELSE CAST(NEW."number" AS TEXT) END, CASE typeof(NEW."total") WHEN 'blob' THEN quote(NEW."total") ELSE CAST(NEW."total" AS TEXT) END, CASE typeof(NEW."largest") WHEN 'blob' THEN quote(NEW."largest") ELSE CAST(NEW."largest" AS TEXT) END));
    INSERT INTO afterwork_touch (route, v1) SELECT 2, NEW."id" WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_1_updating BEFORE UPDATE ON "customer" FOR EACH ROW WHEN ((OLD."id" IS NOT NEW."id" COLLATE BINARY)) AND EXISTS (SELECT 1 FROM "customer" AS t WHERE (((t."id" = NEW."id" COLLATE "BINARY"))) AND t.rowid IS NOT OLD.rowid) BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 1;
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 1, t.rowid, t."id", NULL, (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(t."id") WHEN 'blob' THEN quote(t."id") ELSE CAST(t."id" AS TEXT) END, substr(CASE typeof(t."name") WHEN 'blob' THEN quote(t."name") ELSE CAST(t."name" AS TEXT) END, 1, 64), CASE typeof(t."number") WHEN 'blob' THEN quote(t."number") ELSE CAST(t."number" AS TEXT) END, CASE typeof(t."total") WHEN 'blob' THEN quote(t."total") ELSE CAST(t."total" AS TEXT) END, CASE typeof(t."largest") WHEN 'blob' THEN quote(t."largest") ELSE CAST(t."largest" AS TEXT) END)) FROM "customer" AS t WHERE (((t."id" = NEW."id" COLLATE "BINARY"))) AND t.rowid IS NOT OLD.rowid;
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 1, t.rowid, t."id", NULL, 2, t."id" FROM "customer" AS t WHERE (((t."id" = NEW."id" COLLATE "BINARY"))) AND t.rowid IS NOT OLD.rowid;
END;
CREATE TRIGGER afterwork_1_update AFTER UPDATE ON "customer" FOR EACH ROW WHEN ((OLD."id" IS NOT NEW."id" COLLATE BINARY OR OLD."name" IS NOT NEW."name" COLLATE BINARY OR OLD."number" IS NOT NEW."number" COLLATE BINARY OR OLD."total" IS NOT NEW."total" COLLATE BINARY OR OLD."largest" IS NOT NEW."largest" COLLATE BINARY)) AND NOT ((OLD."id" IS NOT NEW."id" COLLATE BINARY)) BEGIN
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 1, 'U', NEW."id", NULL, (CASE WHEN (OLD."name" IS NOT NEW."name" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD."number" IS NOT NEW."number" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD."total" IS NOT NEW."total" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD."largest" IS NOT NEW."largest" COLLATE BINARY) THEN 16 ELSE 0 END), (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(OLD."id") WHEN 'blob' THEN quote(OLD."id") ELSE CAST(OLD."id" AS TEXT) END, substr(CASE typeof(OLD."name") WHEN 'blob' THEN quote(OLD."name") ELSE CAST(OLD."name" AS TEXT) END, 1, 64), CASE typeof(OLD."number") WHEN 'blob' THEN quote(OLD."number") ELSE CAST(OLD."number" AS TEXT) END, CASE typeof(OLD."total") WHEN 'blob' THEN quote(OLD."total") ELSE CAST(OLD."total" AS TEXT) END, CASE typeof(OLD."largest") WHEN 'blob' THEN quote(OLD."largest") ELSE CAST(OLD."largest" AS TEXT) END)), (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(NEW."id") WHEN 'blob' THEN quote(NEW."id") ELSE CAST(NEW."id" AS TEXT) END, substr(CASE typeof(NEW."name") WHEN 'blob' THEN quote(NEW."name") ELSE CAST(NEW."name" AS TEXT) END, 1, 64), CASE typeof(NEW."number") WHEN 'blob' THEN quote(NEW."number") ELSE CAST(NEW."number" AS TEXT) END, CASE typeof(NEW."total") WHEN 'blob' THEN quote(NEW."total") ELSE CAST(NEW."total" AS TEXT) END, CASE typeof(NEW."largest") WHEN 'blob' THEN quote(NEW."largest") ELSE CAST(NEW."largest" AS TEXT) END)) WHERE (CASE WHEN (OLD."name" IS NOT NEW."name" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD."number" IS NOT NEW."number" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD."total" IS NOT NEW."total" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD."largest" IS NOT NEW."largest" COLLATE BINARY) THEN 16 ELSE 0 END) <> 0;
    INSERT INTO afterwork_touch (route, v1) SELECT 1, NEW."id" WHERE ((OLD."largest" IS NOT NEW."largest" COLLATE BINARY)) AND NOT EXISTS (SELECT 1 FROM afterwork_refreshing WHERE route = 1) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_1_move AFTER UPDATE ON "customer" FOR EACH ROW WHEN (OLD."id" IS NOT NEW."id" COLLATE BINARY) BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 1 AND row IS OLD.rowid;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 1, 'D', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 1 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM "customer" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;
    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 1 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM "customer" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;
    DELETE FROM afterwork_replaced WHERE table_id = 1;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 1, 'D', OLD."id", NULL, 9223372036854775807, (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(OLD."id") WHEN 'blob' THEN quote(OLD."id") ELSE CAST(OLD."id" AS TEXT) END, substr(CASE typeof(OLD."name") WHEN 'blob' THEN quote(OLD."name") ELSE CAST(OLD."name" AS TEXT) END, 1, 64), CASE typeof(OLD."number") WHEN 'blob' THEN quote(OLD."number") ELSE CAST(OLD."number" AS TEXT) END, CASE typeof(OLD."total") WHEN 'blob' THEN quote(OLD."total") ELSE CAST(OLD."total" AS TEXT) END, CASE typeof(OLD."largest") WHEN 'blob' THEN quote(OLD."largest") ELSE CAST(OLD."largest" AS TEXT) END)), NULL;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 1, 'I', NEW."id", NULL, 9223372036854775807, NULL, (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(NEW."id") WHEN 'blob' THEN quote(NEW."id") ELSE CAST(NEW."id" AS TEXT) END, substr(CASE typeof(NEW."name") WHEN 'blob' THEN quote(NEW."name") ELSE CAST(NEW."name" AS TEXT) END, 1, 64), CASE typeof(NEW."number") WHEN 'blob' THEN quote(NEW."number") ELSE CAST(NEW."number" AS TEXT) END, CASE typeof(NEW."total") WHEN 'blob' THEN quote(NEW."total") ELSE CAST(NEW."total" AS TEXT) END, CASE typeof(NEW."largest") WHEN 'blob' THEN quote(NEW."largest") ELSE CAST(NEW."largest" AS TEXT) END));
    INSERT INTO afterwork_touch (route, v1) SELECT 2, OLD."id" WHERE true ON CONFLICT DO NOTHING;
    INSERT INTO afterwork_touch (route, v1) SELECT 2, NEW."id" WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_1_delete AFTER DELETE ON "customer" FOR EACH ROW BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 1 AND row IS OLD.rowid;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 1, 'D', OLD."id", NULL, 9223372036854775807, (printf('%Q,%Q,%Q,%Q,%Q', CASE typeof(OLD."id") WHEN 'blob' THEN quote(OLD."id") ELSE CAST(OLD."id" AS TEXT) END, substr(CASE typeof(OLD."name") WHEN 'blob' THEN quote(OLD."name") ELSE CAST(OLD."name" AS TEXT) END, 1, 64), CASE typeof(OLD."number") WHEN 'blob' THEN quote(OLD."number") ELSE CAST(OLD."number" AS TEXT) END, CASE typeof(OLD."total") WHEN 'blob' THEN quote(OLD."total") ELSE CAST(OLD."total" AS TEXT) END, CASE typeof(OLD."largest") WHEN 'blob' THEN quote(OLD."largest") ELSE CAST(OLD."largest" AS TEXT) END)), NULL;
    INSERT INTO afterwork_touch (route, v1) SELECT 2, OLD."id" WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_2_inserting BEFORE INSERT ON "customer_order" FOR EACH ROW WHEN EXISTS (SELECT 1 FROM "customer_order" AS t WHERE ((t."id" = NEW."id" COLLATE "BINARY"))) BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 2;
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 2, t.rowid, t."id", NULL, (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(t."id") WHEN 'blob' THEN quote(t."id") ELSE CAST(t."id" AS TEXT) END, CASE typeof(t."customer_id") WHEN 'blob' THEN quote(t."customer_id") ELSE CAST(t."customer_id" AS TEXT) END, CASE typeof(t."amount") WHEN 'blob' THEN quote(t."amount") ELSE CAST(t."amount" AS TEXT) END, CASE typeof(t."received") WHEN 'blob' THEN quote(t."received") ELSE CAST(t."received" AS TEXT) END, CASE typeof(t."reminders") WHEN 'blob' THEN quote(t."reminders") ELSE CAST(t."reminders" AS TEXT) END, substr(CASE typeof(t."state") WHEN 'blob' THEN quote(t."state") ELSE CAST(t."state" AS TEXT) END, 1, 64))) FROM "customer_order" AS t WHERE ((t."id" = NEW."id" COLLATE "BINARY"));
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 2, t.rowid, t."id", NULL, 3, t."customer_id" FROM "customer_order" AS t WHERE ((t."id" = NEW."id" COLLATE "BINARY"));
END;
CREATE TRIGGER afterwork_2_insert AFTER INSERT ON "customer_order" FOR EACH ROW BEGIN
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 2, 'D', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 2 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM "customer_order" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;
    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 2 AND (r.row IS NEW.rowid OR NOT EXISTS (SELECT 1 FROM "customer_order" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;
    DELETE FROM afterwork_replaced WHERE table_id = 2;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 2, 'I', NEW."id", NULL, 9223372036854775807, NULL, (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(NEW."id") WHEN 'blob' THEN quote(NEW."id") ELSE CAST(NEW."id" AS TEXT) END, CASE typeof(NEW."customer_id") WHEN 'blob' THEN quote(NEW."customer_id") ELSE CAST(NEW."customer_id" AS TEXT) END, CASE typeof(NEW."amount") WHEN 'blob' THEN quote(NEW."amount") ELSE CAST(NEW."amount" AS TEXT) END, CASE typeof(NEW."received") WHEN 'blob' THEN quote(NEW."received") ELSE CAST(NEW."received" AS TEXT) END, CASE typeof(NEW."reminders") WHEN 'blob' THEN quote(NEW."reminders") ELSE CAST(NEW."reminders" AS TEXT) END, substr(CASE typeof(NEW."state") WHEN 'blob' THEN quote(NEW."state") ELSE CAST(NEW."state" AS TEXT) END, 1, 64)));
    INSERT INTO afterwork_touch (route, v1) SELECT 3, NEW."customer_id" WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_2_updating BEFORE UPDATE ON "customer_order" FOR EACH ROW WHEN ((OLD."id" IS NOT NEW."id" COLLATE BINARY)) AND EXISTS (SELECT 1 FROM "customer_order" AS t WHERE (((t."id" = NEW."id" COLLATE "BINARY"))) AND t.rowid IS NOT OLD.rowid) BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 2;
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, old) SELECT 2, t.rowid, t."id", NULL, (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(t."id") WHEN 'blob' THEN quote(t."id") ELSE CAST(t."id" AS TEXT) END, CASE typeof(t."customer_id") WHEN 'blob' THEN quote(t."customer_id") ELSE CAST(t."customer_id" AS TEXT) END, CASE typeof(t."amount") WHEN 'blob' THEN quote(t."amount") ELSE CAST(t."amount" AS TEXT) END, CASE typeof(t."received") WHEN 'blob' THEN quote(t."received") ELSE CAST(t."received" AS TEXT) END, CASE typeof(t."reminders") WHEN 'blob' THEN quote(t."reminders") ELSE CAST(t."reminders" AS TEXT) END, substr(CASE typeof(t."state") WHEN 'blob' THEN quote(t."state") ELSE CAST(t."state" AS TEXT) END, 1, 64))) FROM "customer_order" AS t WHERE (((t."id" = NEW."id" COLLATE "BINARY"))) AND t.rowid IS NOT OLD.rowid;
    INSERT INTO afterwork_replaced (table_id, row, key, key_text, route, v1) SELECT 2, t.rowid, t."id", NULL, 3, t."customer_id" FROM "customer_order" AS t WHERE (((t."id" = NEW."id" COLLATE "BINARY"))) AND t.rowid IS NOT OLD.rowid;
END;
CREATE TRIGGER afterwork_2_update AFTER UPDATE ON "customer_order" FOR EACH ROW WHEN ((OLD."id" IS NOT NEW."id" COLLATE BINARY OR OLD."customer_id" IS NOT NEW."customer_id" COLLATE BINARY OR OLD."amount" IS NOT NEW."amount" COLLATE BINARY OR OLD."received" IS NOT NEW."received" COLLATE BINARY OR OLD."reminders" IS NOT NEW."reminders" COLLATE BINARY OR OLD."state" IS NOT NEW."state" COLLATE BINARY)) AND NOT ((OLD."id" IS NOT NEW."id" COLLATE BINARY)) BEGIN
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 2, 'U', NEW."id", NULL, (CASE WHEN (OLD."customer_id" IS NOT NEW."customer_id" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD."amount" IS NOT NEW."amount" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD."received" IS NOT NEW."received" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD."reminders" IS NOT NEW."reminders" COLLATE BINARY) THEN 16 ELSE 0 END | CASE WHEN (OLD."state" IS NOT NEW."state" COLLATE BINARY) THEN 32 ELSE 0 END), (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(OLD."id") WHEN 'blob' THEN quote(OLD."id") ELSE CAST(OLD."id" AS TEXT) END, CASE typeof(OLD."customer_id") WHEN 'blob' THEN quote(OLD."customer_id") ELSE CAST(OLD."customer_id" AS TEXT) END, CASE typeof(OLD."amount") WHEN 'blob' THEN quote(OLD."amount") ELSE CAST(OLD."amount" AS TEXT) END, CASE typeof(OLD."received") WHEN 'blob' THEN quote(OLD."received") ELSE CAST(OLD."received" AS TEXT) END, CASE typeof(OLD."reminders") WHEN 'blob' THEN quote(OLD."reminders") ELSE CAST(OLD."reminders" AS TEXT) END, substr(CASE typeof(OLD."state") WHEN 'blob' THEN quote(OLD."state") ELSE CAST(OLD."state" AS TEXT) END, 1, 64))), (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(NEW."id") WHEN 'blob' THEN quote(NEW."id") ELSE CAST(NEW."id" AS TEXT) END, CASE typeof(NEW."customer_id") WHEN 'blob' THEN quote(NEW."customer_id") ELSE CAST(NEW."customer_id" AS TEXT) END, CASE typeof(NEW."amount") WHEN 'blob' THEN quote(NEW."amount") ELSE CAST(NEW."amount" AS TEXT) END, CASE typeof(NEW."received") WHEN 'blob' THEN quote(NEW."received") ELSE CAST(NEW."received" AS TEXT) END, CASE typeof(NEW."reminders") WHEN 'blob' THEN quote(NEW."reminders") ELSE CAST(NEW."reminders" AS TEXT) END, substr(CASE typeof(NEW."state") WHEN 'blob' THEN quote(NEW."state") ELSE CAST(NEW."state" AS TEXT) END, 1, 64))) WHERE (CASE WHEN (OLD."customer_id" IS NOT NEW."customer_id" COLLATE BINARY) THEN 2 ELSE 0 END | CASE WHEN (OLD."amount" IS NOT NEW."amount" COLLATE BINARY) THEN 4 ELSE 0 END | CASE WHEN (OLD."received" IS NOT NEW."received" COLLATE BINARY) THEN 8 ELSE 0 END | CASE WHEN (OLD."reminders" IS NOT NEW."reminders" COLLATE BINARY) THEN 16 ELSE 0 END | CASE WHEN (OLD."state" IS NOT NEW."state" COLLATE BINARY) THEN 32 ELSE 0 END) <> 0;
    INSERT INTO afterwork_touch (route, v1) SELECT 3, OLD."customer_id" WHERE ((OLD."amount" IS NOT NEW."amount" COLLATE BINARY OR OLD."customer_id" IS NOT NEW."customer_id" COLLATE BINARY)) UNION ALL SELECT 3, NEW."customer_id" WHERE ((OLD."amount" IS NOT NEW."amount" COLLATE BINARY OR OLD."customer_id" IS NOT NEW."customer_id" COLLATE BINARY)) AND ((OLD."customer_id" IS NOT NEW."customer_id" COLLATE BINARY)) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_2_move AFTER UPDATE ON "customer_order" FOR EACH ROW WHEN (OLD."id" IS NOT NEW."id" COLLATE BINARY) BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 2 AND row IS OLD.rowid;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 2, 'D', r.key, r.key_text, 9223372036854775807, r.old, NULL FROM afterwork_replaced AS r WHERE r.table_id = 2 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM "customer_order" AS t WHERE t.rowid IS r.row)) AND r.route IS NULL;
    INSERT INTO afterwork_touch (route, v1, v2, v3, v4, v5, v6) SELECT r.route, v1, v2, v3, v4, v5, v6 FROM afterwork_replaced AS r WHERE r.table_id = 2 AND ((r.row IS NEW.rowid AND NEW.rowid IS NOT OLD.rowid) OR NOT EXISTS (SELECT 1 FROM "customer_order" AS t WHERE t.rowid IS r.row)) AND r.route IS NOT NULL ON CONFLICT DO NOTHING;
    DELETE FROM afterwork_replaced WHERE table_id = 2;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 2, 'D', OLD."id", NULL, 9223372036854775807, (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(OLD."id") WHEN 'blob' THEN quote(OLD."id") ELSE CAST(OLD."id" AS TEXT) END, CASE typeof(OLD."customer_id") WHEN 'blob' THEN quote(OLD."customer_id") ELSE CAST(OLD."customer_id" AS TEXT) END, CASE typeof(OLD."amount") WHEN 'blob' THEN quote(OLD."amount") ELSE CAST(OLD."amount" AS TEXT) END, CASE typeof(OLD."received") WHEN 'blob' THEN quote(OLD."received") ELSE CAST(OLD."received" AS TEXT) END, CASE typeof(OLD."reminders") WHEN 'blob' THEN quote(OLD."reminders") ELSE CAST(OLD."reminders" AS TEXT) END, substr(CASE typeof(OLD."state") WHEN 'blob' THEN quote(OLD."state") ELSE CAST(OLD."state" AS TEXT) END, 1, 64))), NULL;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 2, 'I', NEW."id", NULL, 9223372036854775807, NULL, (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(NEW."id") WHEN 'blob' THEN quote(NEW."id") ELSE CAST(NEW."id" AS TEXT) END, CASE typeof(NEW."customer_id") WHEN 'blob' THEN quote(NEW."customer_id") ELSE CAST(NEW."customer_id" AS TEXT) END, CASE typeof(NEW."amount") WHEN 'blob' THEN quote(NEW."amount") ELSE CAST(NEW."amount" AS TEXT) END, CASE typeof(NEW."received") WHEN 'blob' THEN quote(NEW."received") ELSE CAST(NEW."received" AS TEXT) END, CASE typeof(NEW."reminders") WHEN 'blob' THEN quote(NEW."reminders") ELSE CAST(NEW."reminders" AS TEXT) END, substr(CASE typeof(NEW."state") WHEN 'blob' THEN quote(NEW."state") ELSE CAST(NEW."state" AS TEXT) END, 1, 64)));
    INSERT INTO afterwork_touch (route, v1) SELECT 3, OLD."customer_id" WHERE true ON CONFLICT DO NOTHING;
    INSERT INTO afterwork_touch (route, v1) SELECT 3, NEW."customer_id" WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_2_delete AFTER DELETE ON "customer_order" FOR EACH ROW BEGIN
    DELETE FROM afterwork_replaced WHERE table_id = 2 AND row IS OLD.rowid;
    INSERT INTO afterwork_journal (changed_at, table_id, kind, key, key_text, columns, old, new) SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 2, 'D', OLD."id", NULL, 9223372036854775807, (printf('%Q,%Q,%Q,%Q,%Q,%Q', CASE typeof(OLD."id") WHEN 'blob' THEN quote(OLD."id") ELSE CAST(OLD."id" AS TEXT) END, CASE typeof(OLD."customer_id") WHEN 'blob' THEN quote(OLD."customer_id") ELSE CAST(OLD."customer_id" AS TEXT) END, CASE typeof(OLD."amount") WHEN 'blob' THEN quote(OLD."amount") ELSE CAST(OLD."amount" AS TEXT) END, CASE typeof(OLD."received") WHEN 'blob' THEN quote(OLD."received") ELSE CAST(OLD."received" AS TEXT) END, CASE typeof(OLD."reminders") WHEN 'blob' THEN quote(OLD."reminders") ELSE CAST(OLD."reminders" AS TEXT) END, substr(CASE typeof(OLD."state") WHEN 'blob' THEN quote(OLD."state") ELSE CAST(OLD."state" AS TEXT) END, 1, 64))), NULL;
    INSERT INTO afterwork_touch (route, v1) SELECT 3, OLD."customer_id" WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER afterwork_last_made AFTER INSERT ON afterwork_last BEGIN SELECT 1; END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('afterwork_route',3);
INSERT INTO "sqlite_sequence" VALUES('afterwork_journal',17);
INSERT INTO "sqlite_sequence" VALUES('sys_async_ticket',5);
INSERT INTO "sqlite_sequence" VALUES('afterwork_server',1);
INSERT INTO "sqlite_sequence" VALUES('afterwork_cache',10);
COMMIT;
