CREATE FUNCTION public.afterwork_capture_1() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    afterwork_rows bigint;
    afterwork_are_known boolean;
BEGIN
    IF TG_NARGS > 0 THEN
        INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (25, 1043) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
        ELSIF afterwork_rows <= 20000 THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, 'u', 0, '1,2,4,8,16', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1::text COLLATE "C" IS DISTINCT FROM n.c1::text COLLATE "C") THEN substr(o.c1::text, 1, 64) END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN o.c0 IS NULL THEN '-1' WHEN n.c0 IS NULL THEN NULL WHEN false THEN '-2' ELSE (CASE WHEN (o.c1::text COLLATE "C" IS DISTINCT FROM n.c1::text COLLATE "C") THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, substr(n.c1::text, 1, 64), n.c2::text, n.c3::text, n.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1::text COLLATE "C" IS DISTINCT FROM n.c1::text COLLATE "C" OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4) OFFSET 0) AS image HAVING count(*) > 0;
        ELSE
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, 'u', 0, '1,2,4,8,16', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1::text COLLATE "C" IS DISTINCT FROM n.c1::text COLLATE "C") THEN substr(o.c1::text, 1, 64) END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN o.c0 IS NULL THEN '-1' WHEN n.c0 IS NULL THEN NULL WHEN false THEN '-2' ELSE (CASE WHEN (o.c1::text COLLATE "C" IS DISTINCT FROM n.c1::text COLLATE "C") THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, substr(n.c1::text, 1, 64), n.c2::text, n.c3::text, n.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1::text COLLATE "C" IS DISTINCT FROM n.c1::text COLLATE "C" OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4) OFFSET 0) AS image) AS image GROUP BY part HAVING count(*) > 0;
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (25, 1043) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_new) AS r) AS r LIMIT 20001) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
        ELSIF afterwork_rows <= 20000 THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, 'i', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_new) AS r) AS r) AS image HAVING count(*) > 0;
        ELSE
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, 'i', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_new) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (25, 1043) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
        ELSIF afterwork_rows <= 20000 THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, 'd', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS r) AS image HAVING count(*) > 0;
        ELSE
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, 'd', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;
        END IF;
    ELSE
        INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
    END IF;
    GET DIAGNOSTICS afterwork_rows = ROW_COUNT;
    IF afterwork_rows = 0 THEN
        RETURN NULL;
    END IF;
    IF TG_NARGS > 0 OR TG_OP = 'TRUNCATE' OR NOT afterwork_are_known THEN
        INSERT INTO "public".afterwork_touch (route, whole) VALUES (1, true), (2, true);
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO "public".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 CROSS JOIN LATERAL (VALUES (NOT (o.c0 IS NULL OR n.c0 IS NULL OR false) AND (o.c4 IS DISTINCT FROM n.c4) AND current_setting('afterwork.refreshing', true) IS DISTINCT FROM '1', 1, n.c0::text), (NOT o.c0 IS NULL AND (n.c0 IS NULL OR false OR (o.c0 IS DISTINCT FROM n.c0)), 2, o.c0::text), (NOT n.c0 IS NULL AND (o.c0 IS NULL OR false OR (o.c0 IS DISTINCT FROM n.c0)), 2, n.c0::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (1, 1), (2, 2)) AS alike (first, route) ON alike.first = touch.first;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO "public".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_new) AS r) AS n CROSS JOIN LATERAL (VALUES (true, 2, n.c0::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (1, 1), (2, 2)) AS alike (first, route) ON alike.first = touch.first;
    ELSE
        INSERT INTO "public".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::character varying AS "name", NULL::integer AS "number", NULL::integer AS "total", NULL::integer AS "largest") AS missing, LATERAL (SELECT "id" AS c0, "name" AS c1, "number" AS c2, "total" AS c3, "largest" AS c4 FROM afterwork_old) AS r) AS o CROSS JOIN LATERAL (VALUES (true, 2, o.c0::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (1, 1), (2, 2)) AS alike (first, route) ON alike.first = touch.first;
    END IF;
    IF NOT pg_try_advisory_xact_lock_shared('public.afterwork_installation'::regclass::oid::int4, 0) THEN
        PERFORM pg_notify('afterwork_' || 'public.afterwork_installation'::regclass::oid, '');
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.afterwork_capture_2() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    afterwork_rows bigint;
    afterwork_are_known boolean;
BEGIN
    IF TG_NARGS > 0 THEN
        INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c5 END) IN (25, 1043) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
        ELSIF afterwork_rows <= 20000 THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, 'u', 0, '1,2,4,8,16,32', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1 IS DISTINCT FROM n.c1) THEN o.c1::text END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN (false OR o.c5::text COLLATE "C" IS DISTINCT FROM n.c5::text COLLATE "C") THEN substr(o.c5::text, 1, 64) END, CASE WHEN o.c0 IS NULL THEN '-1' WHEN n.c0 IS NULL THEN NULL WHEN false THEN '-2' ELSE (CASE WHEN (o.c1 IS DISTINCT FROM n.c1) THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END | CASE WHEN (o.c5::text COLLATE "C" IS DISTINCT FROM n.c5::text COLLATE "C") THEN 32::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, n.c1::text, n.c2::text, n.c3::text, n.c4::text, substr(n.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1 IS DISTINCT FROM n.c1 OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4 OR o.c5::text COLLATE "C" IS DISTINCT FROM n.c5::text COLLATE "C") OFFSET 0) AS image HAVING count(*) > 0;
        ELSE
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, 'u', 0, '1,2,4,8,16,32', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1 IS DISTINCT FROM n.c1) THEN o.c1::text END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN (false OR o.c5::text COLLATE "C" IS DISTINCT FROM n.c5::text COLLATE "C") THEN substr(o.c5::text, 1, 64) END, CASE WHEN o.c0 IS NULL THEN '-1' WHEN n.c0 IS NULL THEN NULL WHEN false THEN '-2' ELSE (CASE WHEN (o.c1 IS DISTINCT FROM n.c1) THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END | CASE WHEN (o.c5::text COLLATE "C" IS DISTINCT FROM n.c5::text COLLATE "C") THEN 32::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, n.c1::text, n.c2::text, n.c3::text, n.c4::text, substr(n.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1 IS DISTINCT FROM n.c1 OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4 OR o.c5::text COLLATE "C" IS DISTINCT FROM n.c5::text COLLATE "C") OFFSET 0) AS image) AS image GROUP BY part HAVING count(*) > 0;
        END IF;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c5 END) IN (25, 1043) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_new) AS r) AS r LIMIT 20001) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
        ELSIF afterwork_rows <= 20000 THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, 'i', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_new) AS r) AS r) AS image HAVING count(*) > 0;
        ELSE
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, 'i', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_new) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AND "public".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c5 END) IN (25, 1043) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
        ELSIF afterwork_rows <= 20000 THEN
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, 'd', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS r) AS image HAVING count(*) > 0;
        ELSE
            INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, 'd', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;
        END IF;
    ELSE
        INSERT INTO "public".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, 'T', NULL, NULL, 9223372036854775807, NULL, NULL);
    END IF;
    GET DIAGNOSTICS afterwork_rows = ROW_COUNT;
    IF afterwork_rows = 0 THEN
        RETURN NULL;
    END IF;
    IF TG_NARGS > 0 OR TG_OP = 'TRUNCATE' OR NOT afterwork_are_known THEN
        INSERT INTO "public".afterwork_touch (route, whole) VALUES (3, true);
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO "public".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 CROSS JOIN LATERAL (VALUES (NOT o.c0 IS NULL AND (n.c0 IS NULL OR false OR (o.c2 IS DISTINCT FROM n.c2 OR o.c1 IS DISTINCT FROM n.c1)), 3, o.c1::text), (NOT n.c0 IS NULL AND (o.c0 IS NULL OR false OR (o.c2 IS DISTINCT FROM n.c2 OR o.c1 IS DISTINCT FROM n.c1)), 3, n.c1::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (3, 3)) AS alike (first, route) ON alike.first = touch.first;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO "public".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_new) AS r) AS n CROSS JOIN LATERAL (VALUES (true, 3, n.c1::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (3, 3)) AS alike (first, route) ON alike.first = touch.first;
    ELSE
        INSERT INTO "public".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS "id", NULL::integer AS "customer_id", NULL::integer AS "amount", NULL::integer AS "received", NULL::integer AS "reminders", NULL::character varying AS "state") AS missing, LATERAL (SELECT "id" AS c0, "customer_id" AS c1, "amount" AS c2, "received" AS c3, "reminders" AS c4, "state" AS c5 FROM afterwork_old) AS r) AS o CROSS JOIN LATERAL (VALUES (true, 3, o.c1::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (3, 3)) AS alike (first, route) ON alike.first = touch.first;
    END IF;
    IF NOT pg_try_advisory_xact_lock_shared('public.afterwork_installation'::regclass::oid::int4, 0) THEN
        PERFORM pg_notify('afterwork_' || 'public.afterwork_installation'::regclass::oid, '');
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.afterwork_readers(read_keys bigint[], txs xid8[], changes integer[], rereads boolean[], writtens boolean[]) RETURNS TABLE(cache bigint, derivation integer, root text, computed timestamp with time zone, digest bigint, runs integer, took double precision, waits boolean, change integer, reread boolean)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.id, c.derivation, c.root, c.computed, c.digest, c.runs, c.took, EXISTS (SELECT 1 FROM afterwork_due WHERE cache = c.id) AS waits, min(t.change), bool_or(t.reread)
    FROM unnest(afterwork_readers.read_keys, afterwork_readers.txs, afterwork_readers.changes,
        afterwork_readers.rereads, afterwork_readers.writtens) AS t (read_key, tx, change, reread, written)
    CROSS JOIN LATERAL (
        SELECT m.cache FROM afterwork_manifest m WHERE m.read_keys @> ARRAY[t.read_key] OFFSET 0
    ) AS reader
    JOIN afterwork_cache c ON c.id = reader.cache
    WHERE NOT pg_visible_in_snapshot(t.tx, c.snapshot)
        AND t.tx IS DISTINCT FROM CASE WHEN t.written THEN c.wrote ELSE c.own END
    GROUP BY c.id;
END $$;
CREATE FUNCTION public.afterwork_type_of(anyelement) RETURNS oid
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $_$BEGIN RETURN pg_catalog.pg_typeof($1)::pg_catalog.oid; END$_$;
CREATE FUNCTION public.afterwork_wake() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared('public.afterwork_installation'::regclass::oid::int4, 0) THEN
        PERFORM pg_notify('afterwork_' || 'public.afterwork_installation'::regclass::oid, '');
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION public.afterwork_wake_again() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET jit TO 'off'
    AS $$
DECLARE
    now_has jsonb := to_jsonb(NEW);
    had jsonb;
BEGIN
    IF now_has ->> TG_ARGV[0] IS NULL AND now_has ->> TG_ARGV[1] IS NULL THEN
        had := to_jsonb(OLD);
        FOR place IN 0 .. TG_NARGS - 1 LOOP
            IF had ->> TG_ARGV[place] IS DISTINCT FROM now_has ->> TG_ARGV[place] THEN
    IF NOT pg_try_advisory_xact_lock_shared('public.afterwork_installation'::regclass::oid::int4, 0) THEN
        PERFORM pg_notify('afterwork_' || 'public.afterwork_installation'::regclass::oid, '');
    END IF;
                EXIT;
            END IF;
        END LOOP;
    END IF;
    RETURN NULL;
END $$;
CREATE TABLE public.afterwork_cache (
    id bigint NOT NULL,
    derivation integer NOT NULL,
    root text NOT NULL,
    snapshot pg_snapshot,
    own xid8,
    wrote xid8,
    digest bigint,
    runs integer DEFAULT 0 NOT NULL,
    took double precision,
    computed timestamp with time zone,
    cause text,
    cause_cache bigint,
    depth integer DEFAULT 0 NOT NULL,
    error text,
    level integer
);
CREATE SEQUENCE public.afterwork_cache_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.afterwork_cache_id_seq OWNED BY public.afterwork_cache.id;
CREATE UNLOGGED TABLE public.afterwork_commit_touch (
    tx xid8 NOT NULL,
    route integer NOT NULL,
    whole boolean DEFAULT false NOT NULL,
    v1 text,
    v2 text,
    v3 text,
    v4 text,
    v5 text,
    v6 text,
    via integer
);
CREATE UNLOGGED TABLE public.afterwork_committing (
    tx xid8 NOT NULL
);
CREATE TABLE public.afterwork_conflict (
    machine text NOT NULL,
    source text NOT NULL,
    taken text NOT NULL,
    other text NOT NULL,
    root_id text NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.afterwork_derivation (
    id integer NOT NULL,
    name text NOT NULL,
    checksum text,
    backfill_position text,
    backfilled boolean DEFAULT false NOT NULL,
    backfill_done bigint DEFAULT '0'::bigint NOT NULL,
    backfill_total bigint,
    backfill_began timestamp with time zone,
    code_changes integer DEFAULT 0 NOT NULL,
    root_table_id integer,
    gap text
);
CREATE SEQUENCE public.afterwork_derivation_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.afterwork_derivation_id_seq OWNED BY public.afterwork_derivation.id;
CREATE TABLE public.afterwork_due (
    cache bigint NOT NULL,
    derivation integer NOT NULL,
    due timestamp with time zone NOT NULL,
    backfill boolean DEFAULT false NOT NULL,
    since timestamp with time zone,
    cause text,
    cause_cache bigint,
    depth integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    reread boolean DEFAULT true NOT NULL,
    claim character varying(36),
    server bigint,
    claimed_at pg_snapshot,
    stored boolean DEFAULT false NOT NULL,
    waited integer DEFAULT 0 NOT NULL
);
CREATE TABLE public.afterwork_installation (
    name character varying(40) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.afterwork_journal (
    id bigint NOT NULL,
    tx xid8,
    changed_at timestamp with time zone NOT NULL,
    table_id smallint NOT NULL,
    kind character(1) NOT NULL,
    key bigint,
    key_text text,
    columns bigint NOT NULL,
    old text[],
    new text[]
);
ALTER TABLE ONLY public.afterwork_journal ALTER COLUMN old SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.afterwork_journal ALTER COLUMN new SET STORAGE EXTERNAL;
ALTER TABLE public.afterwork_journal ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.afterwork_journal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.afterwork_lane (
    name text NOT NULL,
    lease character varying(36),
    paused boolean DEFAULT false NOT NULL,
    slots integer,
    has_rate boolean DEFAULT false NOT NULL
);
CREATE TABLE public.afterwork_lane_rate (
    lane text NOT NULL,
    max_starts integer NOT NULL,
    per_seconds double precision NOT NULL,
    starts text NOT NULL
);
CREATE TABLE public.afterwork_last_change (
    own integer NOT NULL,
    key text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    route integer
);
CREATE TABLE public.afterwork_lease (
    run character varying(36) NOT NULL,
    ticket text NOT NULL,
    lane text NOT NULL,
    server bigint NOT NULL,
    epoch integer NOT NULL,
    taken timestamp with time zone NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE TABLE public.afterwork_manifest (
    cache bigint NOT NULL,
    read_keys bigint[] NOT NULL
);
CREATE TABLE public.afterwork_match (
    id character varying(60) NOT NULL,
    view_model text,
    root_id text,
    execute_earliest timestamp with time zone,
    keep_receipt_minutes integer DEFAULT 0 NOT NULL,
    done timestamp with time zone,
    delete_time timestamp with time zone,
    error text,
    priority integer,
    lane text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    created timestamp with time zone NOT NULL,
    due timestamp with time zone,
    variables text
);
CREATE TABLE public.afterwork_minute (
    minute timestamp with time zone NOT NULL,
    server bigint NOT NULL,
    work text NOT NULL,
    source character varying(10) NOT NULL,
    done bigint NOT NULL,
    failed bigint NOT NULL,
    put_off bigint NOT NULL,
    seconds double precision NOT NULL,
    wait double precision NOT NULL,
    took text NOT NULL,
    latency text NOT NULL
);
CREATE TABLE public.afterwork_once (
    name text NOT NULL,
    began timestamp with time zone NOT NULL,
    ended timestamp with time zone,
    seconds double precision,
    result text,
    error text
);
CREATE TABLE public.afterwork_progress (
    ticket text NOT NULL,
    done bigint,
    total bigint,
    at timestamp with time zone NOT NULL,
    stop boolean DEFAULT false NOT NULL
);
CREATE TABLE public.afterwork_quarantine (
    scope text NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.afterwork_read_pattern (
    id integer NOT NULL,
    table_id integer NOT NULL,
    equal text,
    columns bigint NOT NULL
);
CREATE SEQUENCE public.afterwork_read_pattern_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.afterwork_read_pattern_id_seq OWNED BY public.afterwork_read_pattern.id;
CREATE TABLE public.afterwork_recent (
    id bigint NOT NULL,
    tx xid8,
    changed_at timestamp with time zone NOT NULL,
    table_id smallint NOT NULL,
    kind character(1) NOT NULL,
    key bigint,
    key_text text,
    columns bigint NOT NULL,
    old text[],
    new text[]
);
CREATE TABLE public.afterwork_route (
    id integer NOT NULL,
    application text NOT NULL,
    derivation text NOT NULL,
    table_id smallint NOT NULL,
    columns text NOT NULL,
    counting text NOT NULL,
    role text NOT NULL,
    at_commit boolean NOT NULL
);
CREATE SEQUENCE public.afterwork_route_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.afterwork_route_id_seq OWNED BY public.afterwork_route.id;
CREATE TABLE public.afterwork_run (
    id bigint NOT NULL,
    run character varying(36) NOT NULL,
    ticket text,
    work text NOT NULL,
    root_id text,
    source character varying(10) NOT NULL,
    server bigint NOT NULL,
    ended timestamp with time zone NOT NULL,
    seconds double precision NOT NULL,
    outcome character varying(10) NOT NULL,
    attempt integer NOT NULL,
    error text,
    trace text
);
CREATE SEQUENCE public.afterwork_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.afterwork_run_id_seq OWNED BY public.afterwork_run.id;
CREATE TABLE public.afterwork_server (
    id integer NOT NULL,
    host text NOT NULL,
    process integer NOT NULL,
    process_started double precision NOT NULL,
    started timestamp with time zone NOT NULL,
    seen timestamp with time zone NOT NULL,
    locked boolean NOT NULL,
    announced timestamp with time zone,
    beat timestamp with time zone,
    machine text,
    stopping boolean DEFAULT false NOT NULL,
    knows text,
    serves text,
    draining boolean DEFAULT false NOT NULL
);
CREATE SEQUENCE public.afterwork_server_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.afterwork_server_id_seq OWNED BY public.afterwork_server.id;
CREATE TABLE public.afterwork_slot (
    lane text NOT NULL,
    number integer NOT NULL,
    lease character varying(36)
);
CREATE TABLE public.afterwork_suspect (
    key text NOT NULL,
    deaths integer DEFAULT 0 NOT NULL,
    near integer DEFAULT 0 NOT NULL,
    cause character varying(12) NOT NULL,
    detail text,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.afterwork_timer (
    name text NOT NULL,
    schedule text NOT NULL,
    due timestamp with time zone NOT NULL,
    set_at timestamp with time zone NOT NULL,
    paused boolean DEFAULT false NOT NULL,
    last_due timestamp with time zone,
    fired timestamp with time zone,
    ended timestamp with time zone,
    matches integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    error text
);
CREATE TABLE public.afterwork_total (
    work text NOT NULL,
    source character varying(10) NOT NULL,
    done bigint NOT NULL,
    failed bigint NOT NULL,
    put_off bigint NOT NULL,
    seconds double precision NOT NULL,
    wait double precision NOT NULL,
    took text NOT NULL,
    latency text NOT NULL
);
CREATE TABLE public.afterwork_touch (
    route integer NOT NULL,
    whole boolean DEFAULT false NOT NULL,
    v1 text,
    v2 text,
    v3 text,
    v4 text,
    v5 text,
    v6 text,
    via integer
);
CREATE TABLE public.afterwork_tracked_table (
    id smallint NOT NULL,
    name text NOT NULL,
    columns text NOT NULL,
    valued text NOT NULL,
    forms text,
    installed text,
    wanted text,
    relation text,
    marks text,
    fingerprint text,
    journaled text
);
CREATE TABLE public.afterwork_transition (
    id bigint NOT NULL,
    root_id text NOT NULL,
    machine text NOT NULL,
    source text,
    target text,
    event text,
    mover text,
    at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.afterwork_transition_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.afterwork_transition_id_seq OWNED BY public.afterwork_transition.id;
CREATE TABLE public.afterwork_unnoted_match (
    timer text NOT NULL,
    first timestamp with time zone NOT NULL,
    size integer NOT NULL,
    roots text NOT NULL,
    due timestamp with time zone NOT NULL,
    variables text
);
CREATE TABLE public.afterwork_use (
    derivation integer NOT NULL,
    read_pattern integer NOT NULL
);
CREATE TABLE public.afterwork_wait (
    reader bigint NOT NULL,
    feeder bigint NOT NULL
);
CREATE TABLE public.customer (
    id integer NOT NULL,
    name character varying NOT NULL,
    number integer,
    total integer NOT NULL,
    largest integer NOT NULL
);
CREATE SEQUENCE public.customer_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.customer_id_seq OWNED BY public.customer.id;
CREATE TABLE public.customer_order (
    id integer NOT NULL,
    customer_id integer NOT NULL,
    amount integer NOT NULL,
    received integer NOT NULL,
    reminders integer NOT NULL,
    state character varying
);
CREATE SEQUENCE public.customer_order_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.customer_order_id_seq OWNED BY public.customer_order.id;
CREATE TABLE public.sys_async_ticket (
    id bigint NOT NULL,
    view_model text,
    root_id text,
    execute_earliest timestamp with time zone,
    keep_receipt_minutes integer DEFAULT 10 NOT NULL,
    done timestamp with time zone,
    delete_time timestamp with time zone,
    error text,
    priority integer,
    lane text,
    attempts integer DEFAULT 0 NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL,
    not_after timestamp with time zone
);
CREATE SEQUENCE public.sys_async_ticket_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.sys_async_ticket_id_seq OWNED BY public.sys_async_ticket.id;
ALTER TABLE ONLY public.afterwork_cache ALTER COLUMN id SET DEFAULT nextval('public.afterwork_cache_id_seq'::regclass);
ALTER TABLE ONLY public.afterwork_derivation ALTER COLUMN id SET DEFAULT nextval('public.afterwork_derivation_id_seq'::regclass);
ALTER TABLE ONLY public.afterwork_read_pattern ALTER COLUMN id SET DEFAULT nextval('public.afterwork_read_pattern_id_seq'::regclass);
ALTER TABLE ONLY public.afterwork_route ALTER COLUMN id SET DEFAULT nextval('public.afterwork_route_id_seq'::regclass);
ALTER TABLE ONLY public.afterwork_run ALTER COLUMN id SET DEFAULT nextval('public.afterwork_run_id_seq'::regclass);
ALTER TABLE ONLY public.afterwork_server ALTER COLUMN id SET DEFAULT nextval('public.afterwork_server_id_seq'::regclass);
ALTER TABLE ONLY public.afterwork_transition ALTER COLUMN id SET DEFAULT nextval('public.afterwork_transition_id_seq'::regclass);
ALTER TABLE ONLY public.customer ALTER COLUMN id SET DEFAULT nextval('public.customer_id_seq'::regclass);
ALTER TABLE ONLY public.customer_order ALTER COLUMN id SET DEFAULT nextval('public.customer_order_id_seq'::regclass);
ALTER TABLE ONLY public.sys_async_ticket ALTER COLUMN id SET DEFAULT nextval('public.sys_async_ticket_id_seq'::regclass);
INSERT INTO public.afterwork_cache VALUES (1, 1, 'Customer!1', '773:773:', NULL, '779', 6328390202333683626, 1, 0.0023809340000298107, '2026-11-30 21:39:47.419194+00', '{"kind": "new"}', NULL, 0, NULL, NULL);
INSERT INTO public.afterwork_cache VALUES (2, 1, 'Customer!2', '773:773:', NULL, '779', -1207740552027415148, 1, 0.00012687900016317144, '2026-11-30 21:39:47.419194+00', '{"kind": "new"}', NULL, 0, NULL, NULL);
INSERT INTO public.afterwork_cache VALUES (4, 3, 'Order!2', '782:782:', NULL, NULL, -7353797269214542038, 1, 0.0003243229998588504, '2026-11-30 21:39:47.547183+00', '{"kind": "new"}', NULL, 0, NULL, NULL);
INSERT INTO public.afterwork_cache VALUES (5, 3, 'Order!3', '782:782:', NULL, NULL, 4676397590591374874, 1, 0.00028135799993833643, '2026-11-30 21:39:47.547183+00', '{"kind": "new"}', NULL, 0, NULL, NULL);
INSERT INTO public.afterwork_cache VALUES (3, 3, 'Order!1', '785:785:', '785', NULL, 3523350141556591038, 1, 0.058985084000141796, '2026-11-30 21:39:47.572825+00', '{"kind": "new"}', NULL, 0, NULL, NULL);
INSERT INTO public.afterwork_derivation VALUES (1, 'Customer.total', 'b8405ee36dfe8243b8223cca', '["2"]', true, 2, 2, '2026-11-30 21:39:46.888012+00', 1, 1, NULL);
INSERT INTO public.afterwork_derivation VALUES (2, 'Customer.largest', 'f66e7c323e022cddb6f3e4fd in sets by [1, 2, 3]', '["2"]', true, 2, 2, '2026-11-30 21:39:46.888012+00', 1, 1, NULL);
INSERT INTO public.afterwork_derivation VALUES (3, 'Order.flow', '616f0235aedb87b3580eb49b', '["3"]', true, 3, 3, '2026-11-30 21:39:46.888012+00', 1, 2, NULL);
INSERT INTO public.afterwork_installation VALUES ('installation', '84d370c7-05ab-4529-b2e4-71ce5e614a5e');
INSERT INTO public.afterwork_installation VALUES ('schema_version', '14');
INSERT INTO public.afterwork_journal VALUES (10, '806', '2026-11-30 21:39:49.06875+00', 1, 'i', 0, NULL, 9223372036854775807, NULL, '{{3,Cid,NULL,0,0}}');
INSERT INTO public.afterwork_journal VALUES (11, '806', '2026-11-30 21:39:49.06875+00', 2, 'i', 0, NULL, 9223372036854775807, NULL, '{{4,3,7,0,0,placed}}');
INSERT INTO public.afterwork_journal VALUES (12, '810', '2026-11-30 21:39:49.171557+00', 2, 'u', 0, '1,2,4,8,16,32', 9223372036854775807, '{{NULL,NULL,30,0,NULL,NULL,12}}', '{{2,1,40,40,1,placed}}');
INSERT INTO public.afterwork_lane VALUES ('main', NULL, false, NULL, false);
INSERT INTO public.afterwork_lane VALUES ('parallel', NULL, false, NULL, false);
INSERT INTO public.afterwork_lane VALUES ('names', NULL, true, NULL, false);
INSERT INTO public.afterwork_last_change VALUES (2, '[1]', '2026-11-30 21:39:47.675234+00', NULL);
INSERT INTO public.afterwork_last_change VALUES (2, '[2]', '2026-11-30 21:39:47.675234+00', NULL);
INSERT INTO public.afterwork_manifest VALUES (1, '{140737488355329,140737488355330,281474976710657,422212465065985}');
INSERT INTO public.afterwork_manifest VALUES (2, '{140737488355331,281474976710658,422212465065986}');
INSERT INTO public.afterwork_manifest VALUES (4, '{562949953421314}');
INSERT INTO public.afterwork_manifest VALUES (5, '{562949953421315}');
INSERT INTO public.afterwork_manifest VALUES (3, '{703687441776641}');
INSERT INTO public.afterwork_minute VALUES ('2026-11-30 21:39:00+00', 1, 'Customer.largest', 'cache', 2, 0, 0, 0.6732762829997228, 0, '0 0 0 0 0 0 0 0 2', '');
INSERT INTO public.afterwork_minute VALUES ('2026-11-30 21:39:00+00', 1, 'Order.flow', 'machine', 3, 0, 0, 0.07724417999997968, 0.6918388200000203, '2 0 0 0 0 0 1', '0 0 0 0 0 0 0 0 3');
INSERT INTO public.afterwork_minute VALUES ('2026-11-30 21:39:00+00', 1, 'Once.greet', 'once', 1, 0, 0, 0.0005248610000307963, 0, '1', '');
INSERT INTO public.afterwork_minute VALUES ('2026-11-30 21:39:00+00', 1, 'Customer.total', 'cache', 2, 0, 0, 0.002507813000192982, 0.19404818699980703, '1 0 1', '0 0 0 0 0 0 2');
INSERT INTO public.afterwork_minute VALUES ('2026-11-30 21:39:00+00', 1, 'Remind', 'timer', 2, 0, 0, 7.525199998781318e-05, 0.5083007480000122, '2', '0 0 0 0 0 0 0 0 2');
INSERT INTO public.afterwork_minute VALUES ('2026-11-30 21:39:00+00', 1, 'Customer.nothing', 'ticket', 0, 1, 0, 0, 1.930153, '1', '');
INSERT INTO public.afterwork_minute VALUES ('2026-11-30 21:39:00+00', 1, 'Customer.assign_number', 'ticket', 2, 0, 0, 0.01650239300033718, 3.843814606999663, '0 0 1 0 1', '0 0 0 0 0 0 0 0 0 0 2');
INSERT INTO public.afterwork_once VALUES ('Once.greet', '2026-11-30 21:39:47.301287+00', '2026-11-30 21:39:47.302629+00', 0.0005248610000307963, 'hello', NULL);
INSERT INTO public.afterwork_read_pattern VALUES (1, 2, NULL, 4);
INSERT INTO public.afterwork_read_pattern VALUES (2, 1, '8', 0);
INSERT INTO public.afterwork_read_pattern VALUES (3, 2, '["customer_id"]', 0);
INSERT INTO public.afterwork_read_pattern VALUES (4, 2, NULL, 44);
INSERT INTO public.afterwork_read_pattern VALUES (5, 2, NULL, 32);
INSERT INTO public.afterwork_route VALUES (1, 'sys_async_ticket', 'Customer.largest', 1, '["id"]', '["largest"]', 'overwritten', false);
INSERT INTO public.afterwork_route VALUES (2, 'sys_async_ticket', 'Customer.largest', 1, '["id"]', '["id"]', 'own', false);
INSERT INTO public.afterwork_route VALUES (3, 'sys_async_ticket', 'Customer.largest', 2, '["customer_id"]', '["amount", "customer_id"]', 'back', false);
INSERT INTO public.afterwork_run VALUES (1, '76653743-0891-57eb-9a61-9f135f6cd03d', '3', 'Customer.nothing', 'Customer!1', 'ticket', 1, '2026-11-30 21:39:48.6654+00', 0, 'failed', 1, '''Customer.nothing'' is no view model, no method and no job function of this model. Near to it: Customer.shout.', NULL);
INSERT INTO public.afterwork_timer VALUES ('Remind', 'every 1 day, 0:00:00', '2026-12-01 21:39:47.06215+00', '2026-11-30 21:39:48.495693+00', false, '2026-11-30 21:39:47.06215+00', '2026-11-30 21:39:48.495693+00', '2026-11-30 21:39:48.773+00', 2, 0, NULL);
INSERT INTO public.afterwork_total VALUES ('Customer.assign_number', 'ticket', 2, 0, 0, 0.01650239300033718, 3.843814606999663, '0 0 1 0 1', '0 0 0 0 0 0 0 0 0 0 2');
INSERT INTO public.afterwork_total VALUES ('Customer.largest', 'cache', 2, 0, 0, 0.6732762829997228, 0, '0 0 0 0 0 0 0 0 2', '');
INSERT INTO public.afterwork_total VALUES ('Customer.nothing', 'ticket', 0, 1, 0, 0, 1.930153, '1', '');
INSERT INTO public.afterwork_total VALUES ('Customer.total', 'cache', 2, 0, 0, 0.002507813000192982, 0.19404818699980703, '1 0 1', '0 0 0 0 0 0 2');
INSERT INTO public.afterwork_total VALUES ('Once.greet', 'once', 1, 0, 0, 0.0005248610000307963, 0, '1', '');
INSERT INTO public.afterwork_total VALUES ('Order.flow', 'machine', 3, 0, 0, 0.07724417999997968, 0.6918388200000203, '2 0 0 0 0 0 1', '0 0 0 0 0 0 0 0 3');
INSERT INTO public.afterwork_total VALUES ('Remind', 'timer', 2, 0, 0, 7.525199998781318e-05, 0.5083007480000122, '2', '0 0 0 0 0 0 0 0 2');
INSERT INTO public.afterwork_touch VALUES (2, false, '3', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.afterwork_touch VALUES (3, false, '3', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.afterwork_touch VALUES (3, false, '1', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.afterwork_tracked_table VALUES (1, 'customer', '["id", "name", "number", "total", "largest"]', '["id", "name", "number", "total", "largest"]', '{"id": "integer", "name": "text", "number": "integer", "total": "integer", "largest": "integer"}', '{"columns": ["id", "name", "number", "total", "largest"], "definition": "\n#variable_conflict use_column\nDECLARE\n    afterwork_rows bigint;\n    afterwork_are_known boolean;\nBEGIN\n    IF TG_NARGS > 0 THEN\n        INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n    ELSIF TG_OP = ''UPDATE'' THEN\n\n        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (25, 1043) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;\n        IF afterwork_rows = 0 THEN\n            RETURN NULL;\n        ELSIF NOT afterwork_are_known THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n        ELSIF afterwork_rows <= 20000 THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, ''u'', 0, ''1,2,4,8,16'', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1::text COLLATE \"C\" IS DISTINCT FROM n.c1::text COLLATE \"C\") THEN substr(o.c1::text, 1, 64) END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN o.c0 IS NULL THEN ''-1'' WHEN n.c0 IS NULL THEN NULL WHEN false THEN ''-2'' ELSE (CASE WHEN (o.c1::text COLLATE \"C\" IS DISTINCT FROM n.c1::text COLLATE \"C\") THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, substr(n.c1::text, 1, 64), n.c2::text, n.c3::text, n.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1::text COLLATE \"C\" IS DISTINCT FROM n.c1::text COLLATE \"C\" OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4) OFFSET 0) AS image HAVING count(*) > 0;\n        ELSE\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, ''u'', 0, ''1,2,4,8,16'', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1::text COLLATE \"C\" IS DISTINCT FROM n.c1::text COLLATE \"C\") THEN substr(o.c1::text, 1, 64) END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN o.c0 IS NULL THEN ''-1'' WHEN n.c0 IS NULL THEN NULL WHEN false THEN ''-2'' ELSE (CASE WHEN (o.c1::text COLLATE \"C\" IS DISTINCT FROM n.c1::text COLLATE \"C\") THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, substr(n.c1::text, 1, 64), n.c2::text, n.c3::text, n.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1::text COLLATE \"C\" IS DISTINCT FROM n.c1::text COLLATE \"C\" OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4) OFFSET 0) AS image) AS image GROUP BY part HAVING count(*) > 0;\n        END IF;\n    ELSIF TG_OP = ''INSERT'' THEN\n\n        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (25, 1043) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_new) AS r) AS r LIMIT 20001) AS few;\n        IF afterwork_rows = 0 THEN\n            RETURN NULL;\n        ELSIF NOT afterwork_are_known THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n        ELSIF afterwork_rows <= 20000 THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, ''i'', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_new) AS r) AS r) AS image HAVING count(*) > 0;\n        ELSE\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, ''i'', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_new) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;\n        END IF;\n    ELSIF TG_OP = ''DELETE'' THEN\n\n        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (25, 1043) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;\n        IF afterwork_rows = 0 THEN\n            RETURN NULL;\n        ELSIF NOT afterwork_are_known THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n        ELSIF afterwork_rows <= 20000 THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, ''d'', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS r) AS image HAVING count(*) > 0;\n        ELSE\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 1, ''d'', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS before, ARRAY[r.c0::text, substr(r.c1::text, 1, 64), r.c2::text, r.c3::text, r.c4::text] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;\n        END IF;\n    ELSE\n        INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 1, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n    END IF;\n    GET DIAGNOSTICS afterwork_rows = ROW_COUNT;\n    IF afterwork_rows = 0 THEN\n        RETURN NULL;\n    END IF;\n    IF TG_NARGS > 0 OR TG_OP = ''TRUNCATE'' OR NOT afterwork_are_known THEN\n        INSERT INTO \"public\".afterwork_touch (route, whole) VALUES (1, true), (2, true);\n    ELSIF TG_OP = ''UPDATE'' THEN\n        INSERT INTO \"public\".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 CROSS JOIN LATERAL (VALUES (NOT (o.c0 IS NULL OR n.c0 IS NULL OR false) AND (o.c4 IS DISTINCT FROM n.c4) AND current_setting(''afterwork.refreshing'', true) IS DISTINCT FROM ''1'', 1, n.c0::text), (NOT o.c0 IS NULL AND (n.c0 IS NULL OR false OR (o.c0 IS DISTINCT FROM n.c0)), 2, o.c0::text), (NOT n.c0 IS NULL AND (o.c0 IS NULL OR false OR (o.c0 IS DISTINCT FROM n.c0)), 2, n.c0::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (1, 1), (2, 2)) AS alike (first, route) ON alike.first = touch.first;\n    ELSIF TG_OP = ''INSERT'' THEN\n        INSERT INTO \"public\".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_new) AS r) AS n CROSS JOIN LATERAL (VALUES (true, 2, n.c0::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (1, 1), (2, 2)) AS alike (first, route) ON alike.first = touch.first;\n    ELSE\n        INSERT INTO \"public\".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::character varying AS \"name\", NULL::integer AS \"number\", NULL::integer AS \"total\", NULL::integer AS \"largest\") AS missing, LATERAL (SELECT \"id\" AS c0, \"name\" AS c1, \"number\" AS c2, \"total\" AS c3, \"largest\" AS c4 FROM afterwork_old) AS r) AS o CROSS JOIN LATERAL (VALUES (true, 2, o.c0::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (1, 1), (2, 2)) AS alike (first, route) ON alike.first = touch.first;\n    END IF;\n    IF NOT pg_try_advisory_xact_lock_shared(''public.afterwork_installation''::regclass::oid::int4, 0) THEN\n        PERFORM pg_notify(''afterwork_'' || ''public.afterwork_installation''::regclass::oid, '''');\n    END IF;\n    RETURN NULL;\nEND "}', '{"sys_async_ticket": ["id", "name", "number", "total", "largest"]}', '"customer"', '{"column": {"id": ["1 23 -1 0", "id"], "largest": ["5 23 -1 0", "largest"], "name": ["2 1043 -1 100", "name"], "number": ["3 23 -1 0", "number"], "total": ["4 23 -1 0", "total"]}, "function": {"afterwork_capture_1": ["16885 755", ""]}, "journal": {"": ["16534 754", ""]}, "rewrite": {"16402": ["16402", "customer"]}, "setting": {"id": ["ebfd9f6d718b18e9614f99d977a19da8", "id"], "largest": ["3769783afc396d9411283dfd5f3aacc9", "largest"], "name": ["a79828d38e42c55a9c3a5137e5a89770", "name"], "number": ["807882a768b17e0392a7e284c60a5a3e", "number"], "total": ["af43961996f4ccddf687f39bc1321fe4", "total"]}, "table": {"": ["16402 r public.customer", "customer"]}, "touch": {"id": ["753", "id"], "largest": ["753", "largest"], "name": ["753", "name"], "number": ["753", "number"], "total": ["753", "total"]}, "trigger": {"16402 afterwork_1_delete": ["16890 755 A", "afterwork_1_delete of customer"], "16402 afterwork_1_insert": ["16888 755 A", "afterwork_1_insert of customer"], "16402 afterwork_1_truncate": ["16891 755 A", "afterwork_1_truncate of customer"], "16402 afterwork_1_update": ["16889 755 A", "afterwork_1_update of customer"]}}', '3343e0c4e196f77108a5970bda162a62', '["sys_async_ticket"]');
INSERT INTO public.afterwork_tracked_table VALUES (2, 'customer_order', '["id", "customer_id", "amount", "received", "reminders", "state"]', '["id", "customer_id", "amount", "received", "reminders", "state"]', '{"id": "integer", "customer_id": "integer", "amount": "integer", "received": "integer", "reminders": "integer", "state": "text"}', '{"columns": ["id", "customer_id", "amount", "received", "reminders", "state"], "definition": "\n#variable_conflict use_column\nDECLARE\n    afterwork_rows bigint;\n    afterwork_are_known boolean;\nBEGIN\n    IF TG_NARGS > 0 THEN\n        INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n    ELSIF TG_OP = ''UPDATE'' THEN\n\n        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c5 END) IN (25, 1043) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;\n        IF afterwork_rows = 0 THEN\n            RETURN NULL;\n        ELSIF NOT afterwork_are_known THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n        ELSIF afterwork_rows <= 20000 THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, ''u'', 0, ''1,2,4,8,16,32'', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1 IS DISTINCT FROM n.c1) THEN o.c1::text END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN (false OR o.c5::text COLLATE \"C\" IS DISTINCT FROM n.c5::text COLLATE \"C\") THEN substr(o.c5::text, 1, 64) END, CASE WHEN o.c0 IS NULL THEN ''-1'' WHEN n.c0 IS NULL THEN NULL WHEN false THEN ''-2'' ELSE (CASE WHEN (o.c1 IS DISTINCT FROM n.c1) THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END | CASE WHEN (o.c5::text COLLATE \"C\" IS DISTINCT FROM n.c5::text COLLATE \"C\") THEN 32::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, n.c1::text, n.c2::text, n.c3::text, n.c4::text, substr(n.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1 IS DISTINCT FROM n.c1 OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4 OR o.c5::text COLLATE \"C\" IS DISTINCT FROM n.c5::text COLLATE \"C\") OFFSET 0) AS image HAVING count(*) > 0;\n        ELSE\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, ''u'', 0, ''1,2,4,8,16,32'', 9223372036854775807, array_agg(before), array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[CASE WHEN (false OR o.c0 IS DISTINCT FROM n.c0) THEN o.c0::text END, CASE WHEN (false OR o.c1 IS DISTINCT FROM n.c1) THEN o.c1::text END, CASE WHEN (false OR o.c2 IS DISTINCT FROM n.c2) THEN o.c2::text END, CASE WHEN (false OR o.c3 IS DISTINCT FROM n.c3) THEN o.c3::text END, CASE WHEN (false OR o.c4 IS DISTINCT FROM n.c4) THEN o.c4::text END, CASE WHEN (false OR o.c5::text COLLATE \"C\" IS DISTINCT FROM n.c5::text COLLATE \"C\") THEN substr(o.c5::text, 1, 64) END, CASE WHEN o.c0 IS NULL THEN ''-1'' WHEN n.c0 IS NULL THEN NULL WHEN false THEN ''-2'' ELSE (CASE WHEN (o.c1 IS DISTINCT FROM n.c1) THEN 2::bigint ELSE 0 END | CASE WHEN (o.c2 IS DISTINCT FROM n.c2) THEN 4::bigint ELSE 0 END | CASE WHEN (o.c3 IS DISTINCT FROM n.c3) THEN 8::bigint ELSE 0 END | CASE WHEN (o.c4 IS DISTINCT FROM n.c4) THEN 16::bigint ELSE 0 END | CASE WHEN (o.c5::text COLLATE \"C\" IS DISTINCT FROM n.c5::text COLLATE \"C\") THEN 32::bigint ELSE 0 END)::text END] AS before, ARRAY[n.c0::text, n.c1::text, n.c2::text, n.c3::text, n.c4::text, substr(n.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 WHERE (o.c0 IS DISTINCT FROM n.c0 OR o.c1 IS DISTINCT FROM n.c1 OR o.c2 IS DISTINCT FROM n.c2 OR o.c3 IS DISTINCT FROM n.c3 OR o.c4 IS DISTINCT FROM n.c4 OR o.c5::text COLLATE \"C\" IS DISTINCT FROM n.c5::text COLLATE \"C\") OFFSET 0) AS image) AS image GROUP BY part HAVING count(*) > 0;\n        END IF;\n    ELSIF TG_OP = ''INSERT'' THEN\n\n        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c5 END) IN (25, 1043) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_new) AS r) AS r LIMIT 20001) AS few;\n        IF afterwork_rows = 0 THEN\n            RETURN NULL;\n        ELSIF NOT afterwork_are_known THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n        ELSIF afterwork_rows <= 20000 THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, ''i'', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_new) AS r) AS r) AS image HAVING count(*) > 0;\n        ELSE\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, ''i'', 0, NULL, 9223372036854775807, NULL, array_agg(after) FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_new) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;\n        END IF;\n    ELSIF TG_OP = ''DELETE'' THEN\n\n        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM (SELECT \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c0 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c1 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c2 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c3 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c4 END) IN (20, 21, 23) AND \"public\".afterwork_type_of(CASE WHEN true THEN NULL ELSE r.c5 END) IN (25, 1043) AS known FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS r LIMIT 20001) AS few;\n        IF afterwork_rows = 0 THEN\n            RETURN NULL;\n        ELSIF NOT afterwork_are_known THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n        ELSIF afterwork_rows <= 20000 THEN\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, ''d'', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS r) AS image HAVING count(*) > 0;\n        ELSE\n            INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) SELECT pg_current_xact_id(), now(), 2, ''d'', 0, NULL, 9223372036854775807, array_agg(before), NULL FROM (SELECT *, (row_number() OVER () - 1) / 20000 AS part FROM (SELECT ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS before, ARRAY[r.c0::text, r.c1::text, r.c2::text, r.c3::text, r.c4::text, substr(r.c5::text, 1, 64)] AS after FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS r) AS image) AS image GROUP BY part HAVING count(*) > 0;\n        END IF;\n    ELSE\n        INSERT INTO \"public\".afterwork_journal (tx, changed_at, table_id, kind, key, key_text, columns, old, new) VALUES (pg_current_xact_id(), now(), 2, ''T'', NULL, NULL, 9223372036854775807, NULL, NULL);\n    END IF;\n    GET DIAGNOSTICS afterwork_rows = ROW_COUNT;\n    IF afterwork_rows = 0 THEN\n        RETURN NULL;\n    END IF;\n    IF TG_NARGS > 0 OR TG_OP = ''TRUNCATE'' OR NOT afterwork_are_known THEN\n        INSERT INTO \"public\".afterwork_touch (route, whole) VALUES (3, true);\n    ELSIF TG_OP = ''UPDATE'' THEN\n        INSERT INTO \"public\".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS o FULL JOIN (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_new) AS r) AS n ON o.c0 = n.c0 CROSS JOIN LATERAL (VALUES (NOT o.c0 IS NULL AND (n.c0 IS NULL OR false OR (o.c2 IS DISTINCT FROM n.c2 OR o.c1 IS DISTINCT FROM n.c1)), 3, o.c1::text), (NOT n.c0 IS NULL AND (o.c0 IS NULL OR false OR (o.c2 IS DISTINCT FROM n.c2 OR o.c1 IS DISTINCT FROM n.c1)), 3, n.c1::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (3, 3)) AS alike (first, route) ON alike.first = touch.first;\n    ELSIF TG_OP = ''INSERT'' THEN\n        INSERT INTO \"public\".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_new) AS r) AS n CROSS JOIN LATERAL (VALUES (true, 3, n.c1::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (3, 3)) AS alike (first, route) ON alike.first = touch.first;\n    ELSE\n        INSERT INTO \"public\".afterwork_touch (route, v1) SELECT alike.route, v1 FROM (SELECT DISTINCT first, v1 FROM (SELECT r.* FROM (SELECT NULL::integer AS \"id\", NULL::integer AS \"customer_id\", NULL::integer AS \"amount\", NULL::integer AS \"received\", NULL::integer AS \"reminders\", NULL::character varying AS \"state\") AS missing, LATERAL (SELECT \"id\" AS c0, \"customer_id\" AS c1, \"amount\" AS c2, \"received\" AS c3, \"reminders\" AS c4, \"state\" AS c5 FROM afterwork_old) AS r) AS o CROSS JOIN LATERAL (VALUES (true, 3, o.c1::text)) AS touch (counts, first, v1) WHERE counts) AS touch JOIN (VALUES (3, 3)) AS alike (first, route) ON alike.first = touch.first;\n    END IF;\n    IF NOT pg_try_advisory_xact_lock_shared(''public.afterwork_installation''::regclass::oid::int4, 0) THEN\n        PERFORM pg_notify(''afterwork_'' || ''public.afterwork_installation''::regclass::oid, '''');\n    END IF;\n    RETURN NULL;\nEND "}', '{"sys_async_ticket": ["id", "customer_id", "amount", "received", "reminders", "state"]}', '"customer_order"', '{"column": {"amount": ["3 23 -1 0", "amount"], "customer_id": ["2 23 -1 0", "customer_id"], "id": ["1 23 -1 0", "id"], "received": ["4 23 -1 0", "received"], "reminders": ["5 23 -1 0", "reminders"], "state": ["6 1043 -1 100", "state"]}, "function": {"afterwork_capture_2": ["16893 755", ""]}, "journal": {"": ["16534 754", ""]}, "rewrite": {"16415": ["16415", "customer_order"]}, "setting": {"amount": ["453190400953d7fe86d1a9c2993184b3", "amount"], "customer_id": ["fc504ff6edb22c10c96f2fe85294dc2c", "customer_id"], "id": ["c148940e57f018f9f14cf7595bff9f32", "id"], "received": ["852ea0e487398eb4631e5f4ebd3555cb", "received"], "reminders": ["80bac001663049d3eb9cf6dcf0fad4cf", "reminders"], "state": ["6ceddff8b0172c0ea089c523d4cbcdc0", "state"]}, "table": {"": ["16415 r public.customer_order", "customer_order"]}, "touch": {"amount": ["753", "amount"], "customer_id": ["753", "customer_id"], "id": ["753", "id"], "received": ["753", "received"], "reminders": ["753", "reminders"], "state": ["753", "state"]}, "trigger": {"16415 afterwork_2_delete": ["16898 755 A", "afterwork_2_delete of customer_order"], "16415 afterwork_2_insert": ["16896 755 A", "afterwork_2_insert of customer_order"], "16415 afterwork_2_truncate": ["16899 755 A", "afterwork_2_truncate of customer_order"], "16415 afterwork_2_update": ["16897 755 A", "afterwork_2_update of customer_order"]}}', '70c89dead4c36e65d793212df0a4a1ff', '["sys_async_ticket"]');
INSERT INTO public.afterwork_transition VALUES (1, 'Order!1', 'flow', NULL, 'placed', NULL, NULL, '2026-11-30 21:39:46.704117+00');
INSERT INTO public.afterwork_transition VALUES (2, 'Order!2', 'flow', NULL, 'placed', NULL, NULL, '2026-11-30 21:39:46.7046+00');
INSERT INTO public.afterwork_transition VALUES (3, 'Order!3', 'flow', NULL, 'placed', NULL, NULL, '2026-11-30 21:39:46.704978+00');
INSERT INTO public.afterwork_transition VALUES (4, 'Order!1', 'flow', 'placed', 'paid', NULL, 'Order.flow', '2026-11-30 21:39:47.592057+00');
INSERT INTO public.afterwork_transition VALUES (5, 'Order!4', 'flow', NULL, 'placed', NULL, NULL, '2026-11-30 21:39:49.040042+00');
INSERT INTO public.afterwork_use VALUES (1, 1);
INSERT INTO public.afterwork_use VALUES (1, 2);
INSERT INTO public.afterwork_use VALUES (1, 3);
INSERT INTO public.afterwork_use VALUES (3, 4);
INSERT INTO public.afterwork_use VALUES (3, 5);
INSERT INTO public.customer VALUES (1, 'Ann', 1, 50, 30);
INSERT INTO public.customer VALUES (2, 'Bob', 2, 5, 5);
INSERT INTO public.customer VALUES (3, 'Cid', NULL, 0, 0);
INSERT INTO public.customer_order VALUES (1, 1, 20, 20, 0, 'paid');
INSERT INTO public.customer_order VALUES (3, 2, 5, 0, 1, 'placed');
INSERT INTO public.customer_order VALUES (4, 3, 7, 0, 0, 'placed');
INSERT INTO public.customer_order VALUES (2, 1, 40, 40, 1, 'placed');
INSERT INTO public.sys_async_ticket VALUES (1, 'Customer.assign_number', 'Customer!1', NULL, 52560000, '2026-11-30 21:39:48.638753+00', '2126-11-06 21:39:48.638753+00', NULL, NULL, NULL, 1, '2026-11-30 21:39:46.735238+00', NULL);
INSERT INTO public.sys_async_ticket VALUES (2, 'Customer.assign_number', 'Customer!2', NULL, 52560000, '2026-11-30 21:39:48.638753+00', '2126-11-06 21:39:48.638753+00', NULL, NULL, NULL, 1, '2026-11-30 21:39:46.735245+00', NULL);
INSERT INTO public.sys_async_ticket VALUES (3, 'Customer.nothing', 'Customer!1', NULL, 1000000, '2026-11-30 21:39:48.638753+00', '2028-10-25 08:19:48.638753+00', '''Customer.nothing'' is no view model, no method and no job function of this model. Near to it: Customer.shout.', NULL, NULL, 1, '2026-11-30 21:39:46.735247+00', NULL);
INSERT INTO public.sys_async_ticket VALUES (4, 'Customer.assign_number', 'Customer!3', NULL, 52560000, NULL, NULL, NULL, NULL, NULL, 0, '2026-11-30 21:39:49.087993+00', NULL);
INSERT INTO public.sys_async_ticket VALUES (5, 'Customer.shout', 'Customer!1', NULL, 52560000, NULL, NULL, NULL, NULL, 'names', 0, '2026-11-30 21:39:49.108399+00', NULL);
SELECT pg_catalog.setval('public.afterwork_cache_id_seq', 10, true);
SELECT pg_catalog.setval('public.afterwork_derivation_id_seq', 3, true);
SELECT pg_catalog.setval('public.afterwork_journal_id_seq', 12, true);
SELECT pg_catalog.setval('public.afterwork_read_pattern_id_seq', 5, true);
SELECT pg_catalog.setval('public.afterwork_route_id_seq', 3, true);
SELECT pg_catalog.setval('public.afterwork_run_id_seq', 1, true);
SELECT pg_catalog.setval('public.afterwork_server_id_seq', 1, true);
SELECT pg_catalog.setval('public.afterwork_transition_id_seq', 5, true);
SELECT pg_catalog.setval('public.customer_id_seq', 3, true);
SELECT pg_catalog.setval('public.customer_order_id_seq', 4, true);
SELECT pg_catalog.setval('public.sys_async_ticket_id_seq', 5, true);
ALTER TABLE ONLY public.afterwork_cache
    ADD CONSTRAINT afterwork_cache_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_cache
    ADD CONSTRAINT afterwork_cache_root UNIQUE (derivation, root);
ALTER TABLE ONLY public.afterwork_committing
    ADD CONSTRAINT afterwork_committing_pkey PRIMARY KEY (tx);
ALTER TABLE ONLY public.afterwork_conflict
    ADD CONSTRAINT afterwork_conflict_pkey PRIMARY KEY (machine, source, taken, other);
ALTER TABLE ONLY public.afterwork_derivation
    ADD CONSTRAINT afterwork_derivation_name_key UNIQUE (name);
ALTER TABLE ONLY public.afterwork_derivation
    ADD CONSTRAINT afterwork_derivation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_due
    ADD CONSTRAINT afterwork_due_pkey PRIMARY KEY (cache);
ALTER TABLE ONLY public.afterwork_installation
    ADD CONSTRAINT afterwork_installation_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.afterwork_lane
    ADD CONSTRAINT afterwork_lane_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.afterwork_lane_rate
    ADD CONSTRAINT afterwork_lane_rate_pkey PRIMARY KEY (lane);
ALTER TABLE ONLY public.afterwork_last_change
    ADD CONSTRAINT afterwork_last_change_pkey PRIMARY KEY (own, key);
ALTER TABLE ONLY public.afterwork_lease
    ADD CONSTRAINT afterwork_lease_pkey PRIMARY KEY (run);
ALTER TABLE ONLY public.afterwork_lease
    ADD CONSTRAINT afterwork_lease_ticket_key UNIQUE (ticket);
ALTER TABLE ONLY public.afterwork_manifest
    ADD CONSTRAINT afterwork_manifest_pkey PRIMARY KEY (cache);
ALTER TABLE ONLY public.afterwork_match
    ADD CONSTRAINT afterwork_match_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_minute
    ADD CONSTRAINT afterwork_minute_pkey PRIMARY KEY (minute, server, work, source);
ALTER TABLE ONLY public.afterwork_once
    ADD CONSTRAINT afterwork_once_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.afterwork_progress
    ADD CONSTRAINT afterwork_progress_pkey PRIMARY KEY (ticket);
ALTER TABLE ONLY public.afterwork_quarantine
    ADD CONSTRAINT afterwork_quarantine_pkey PRIMARY KEY (scope);
ALTER TABLE ONLY public.afterwork_read_pattern
    ADD CONSTRAINT afterwork_read_pattern_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_route
    ADD CONSTRAINT afterwork_route_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_run
    ADD CONSTRAINT afterwork_run_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_server
    ADD CONSTRAINT afterwork_server_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_slot
    ADD CONSTRAINT afterwork_slot_pkey PRIMARY KEY (lane, number);
ALTER TABLE ONLY public.afterwork_suspect
    ADD CONSTRAINT afterwork_suspect_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.afterwork_timer
    ADD CONSTRAINT afterwork_timer_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.afterwork_total
    ADD CONSTRAINT afterwork_total_pkey PRIMARY KEY (work, source);
ALTER TABLE ONLY public.afterwork_tracked_table
    ADD CONSTRAINT afterwork_tracked_table_name_key UNIQUE (name);
ALTER TABLE ONLY public.afterwork_tracked_table
    ADD CONSTRAINT afterwork_tracked_table_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_transition
    ADD CONSTRAINT afterwork_transition_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.afterwork_unnoted_match
    ADD CONSTRAINT afterwork_unnoted_match_pkey PRIMARY KEY (timer, first);
ALTER TABLE ONLY public.afterwork_use
    ADD CONSTRAINT afterwork_use_pkey PRIMARY KEY (derivation, read_pattern);
ALTER TABLE ONLY public.afterwork_wait
    ADD CONSTRAINT afterwork_wait_pkey PRIMARY KEY (reader, feeder);
ALTER TABLE ONLY public.customer_order
    ADD CONSTRAINT customer_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sys_async_ticket
    ADD CONSTRAINT sys_async_ticket_pkey PRIMARY KEY (id);
CREATE INDEX afterwork_cache_failed ON public.afterwork_cache USING btree (derivation, root) WHERE (error IS NOT NULL);
CREATE INDEX afterwork_commit_touch_tx ON public.afterwork_commit_touch USING btree (tx, route);
CREATE INDEX afterwork_due_claimed ON public.afterwork_due USING btree (derivation, claim) WHERE (claim IS NOT NULL);
CREATE INDEX afterwork_due_next ON public.afterwork_due USING btree (derivation, backfill, due, cache) WHERE (claim IS NULL);
CREATE INDEX afterwork_lease_server ON public.afterwork_lease USING btree (server);
CREATE INDEX afterwork_manifest_read_keys ON public.afterwork_manifest USING gin (read_keys) WITH (fastupdate=off);
CREATE INDEX afterwork_match_ended ON public.afterwork_match USING btree (delete_time) WHERE (delete_time IS NOT NULL);
CREATE INDEX afterwork_match_failed ON public.afterwork_match USING btree (id) WHERE (error IS NOT NULL);
CREATE INDEX afterwork_match_place ON public.afterwork_match USING btree (COALESCE(lane, 'main'::text), COALESCE(priority, 2147483647), COALESCE(execute_earliest, COALESCE(
CASE
    WHEN ((created >= '0001-01-02 00:00:00+00'::timestamp with time zone) AND (created < '9999-12-30 00:00:00+00'::timestamp with time zone)) THEN created
    ELSE NULL::timestamp with time zone
END, '1970-01-01 00:00:00+00'::timestamp with time zone)), id) WHERE ((done IS NULL) AND (error IS NULL));
CREATE INDEX afterwork_match_root ON public.afterwork_match USING btree (root_id, view_model) WHERE ((done IS NULL) AND (error IS NULL));
CREATE INDEX afterwork_match_timer ON public.afterwork_match USING btree (view_model, root_id);
CREATE UNIQUE INDEX afterwork_read_pattern_once ON public.afterwork_read_pattern USING btree (table_id, COALESCE(equal, ''::text), columns);
CREATE INDEX afterwork_run_ended ON public.afterwork_run USING btree (ended, id);
CREATE INDEX afterwork_run_outcome ON public.afterwork_run USING btree (outcome, ended, id);
CREATE INDEX afterwork_run_root ON public.afterwork_run USING btree (root_id, ended, id);
CREATE INDEX afterwork_run_ticket ON public.afterwork_run USING btree (ticket, ended, id);
CREATE INDEX afterwork_run_work ON public.afterwork_run USING btree (work, ended, id);
CREATE INDEX afterwork_run_work_outcome ON public.afterwork_run USING btree (work, outcome, ended, id);
CREATE INDEX afterwork_sys_async_ticket_ended ON public.sys_async_ticket USING btree (delete_time) WHERE (delete_time IS NOT NULL);
CREATE INDEX afterwork_sys_async_ticket_failed ON public.sys_async_ticket USING btree (id) WHERE (error IS NOT NULL);
CREATE INDEX afterwork_sys_async_ticket_place ON public.sys_async_ticket USING btree (COALESCE(lane, 'main'::text), COALESCE(priority, 2147483647), COALESCE(execute_earliest, COALESCE(
CASE
    WHEN ((created >= '0001-01-02 00:00:00+00'::timestamp with time zone) AND (created < '9999-12-30 00:00:00+00'::timestamp with time zone)) THEN created
    ELSE NULL::timestamp with time zone
END, '1970-01-01 00:00:00+00'::timestamp with time zone)), id) WHERE ((done IS NULL) AND (error IS NULL));
CREATE INDEX afterwork_sys_async_ticket_root ON public.sys_async_ticket USING btree (root_id, view_model) WHERE ((done IS NULL) AND (error IS NULL));
CREATE INDEX afterwork_timer_due ON public.afterwork_timer USING btree (due);
CREATE INDEX afterwork_transition_root ON public.afterwork_transition USING btree (root_id, machine, id);
CREATE INDEX afterwork_wait_feeder ON public.afterwork_wait USING btree (feeder);
CREATE TRIGGER afterwork_1_delete AFTER DELETE ON public.customer REFERENCING OLD TABLE AS afterwork_old FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_1();
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER afterwork_1_delete;
CREATE TRIGGER afterwork_1_insert AFTER INSERT ON public.customer REFERENCING NEW TABLE AS afterwork_new FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_1();
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER afterwork_1_insert;
CREATE TRIGGER afterwork_1_truncate AFTER TRUNCATE ON public.customer FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_1();
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER afterwork_1_truncate;
CREATE TRIGGER afterwork_1_update AFTER UPDATE ON public.customer REFERENCING OLD TABLE AS afterwork_old NEW TABLE AS afterwork_new FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_1();
ALTER TABLE public.customer ENABLE ALWAYS TRIGGER afterwork_1_update;
CREATE TRIGGER afterwork_2_delete AFTER DELETE ON public.customer_order REFERENCING OLD TABLE AS afterwork_old FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_2();
ALTER TABLE public.customer_order ENABLE ALWAYS TRIGGER afterwork_2_delete;
CREATE TRIGGER afterwork_2_insert AFTER INSERT ON public.customer_order REFERENCING NEW TABLE AS afterwork_new FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_2();
ALTER TABLE public.customer_order ENABLE ALWAYS TRIGGER afterwork_2_insert;
CREATE TRIGGER afterwork_2_truncate AFTER TRUNCATE ON public.customer_order FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_2();
ALTER TABLE public.customer_order ENABLE ALWAYS TRIGGER afterwork_2_truncate;
CREATE TRIGGER afterwork_2_update AFTER UPDATE ON public.customer_order REFERENCING OLD TABLE AS afterwork_old NEW TABLE AS afterwork_new FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_capture_2();
ALTER TABLE public.customer_order ENABLE ALWAYS TRIGGER afterwork_2_update;
CREATE TRIGGER afterwork_wake AFTER INSERT ON public.afterwork_match FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_wake();
CREATE TRIGGER afterwork_wake AFTER INSERT ON public.sys_async_ticket FOR EACH STATEMENT EXECUTE FUNCTION public.afterwork_wake();
CREATE TRIGGER afterwork_wake_again AFTER UPDATE ON public.afterwork_match FOR EACH ROW EXECUTE FUNCTION public.afterwork_wake_again('done', 'error', 'execute_earliest', 'view_model', 'root_id', 'lane', 'priority');
CREATE TRIGGER afterwork_wake_again AFTER UPDATE ON public.sys_async_ticket FOR EACH ROW EXECUTE FUNCTION public.afterwork_wake_again('done', 'error', 'execute_earliest', 'view_model', 'root_id', 'lane', 'priority');
ALTER TABLE ONLY public.customer_order
    ADD CONSTRAINT customer_order_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customer(id);
