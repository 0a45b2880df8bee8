-- A database of version 4 of the tables, as gradsum 0.1.0 made it: a run with two workers, and a sweep of two trials.
PRAGMA application_id = 1735617841;
PRAGMA user_version = 4;
CREATE TABLE "runs" (
   "startID" INTEGER PRIMARY KEY AUTOINCREMENT,
   "uuid" TEXT,
   "name" TEXT,
   "started" TEXT,
   "finished" TEXT,
   "state" TEXT,
   "reason" TEXT,
   "model" TEXT,
   "data" TEXT,
   "generated" INTEGER,
   "data_digest" TEXT,
   "optimizer" TEXT,
   "lr" REAL,
   "batch_size" INTEGER,
   "microbatch" INTEGER,
   "workers" INTEGER,
   "seed" INTEGER,
   "settings" TEXT,
   "versions" TEXT,
   "host" TEXT,
   "pid" INTEGER,
   "process" TEXT,
   "cores" INTEGER,
   "git_commit" TEXT,
   "command" TEXT,
   "folder" TEXT,
   "steps" INTEGER,
   "epochs" REAL,
   "train_loss" REAL,
   "best_percent" REAL,
   "images_per_second" REAL,
   "wall_seconds" REAL,
   "cpu_seconds" REAL,
   "params_sha256" TEXT
) STRICT;
CREATE TABLE "training" (
   "startID" INTEGER,
   "batchno" INTEGER,
   "epoch" REAL,
   "time" REAL,
   "elapsed" REAL,
   "cputime" REAL,
   "corperc" REAL,
   "avgloss" REAL,
   "batchsize" INTEGER,
   "lr" REAL,
   "momentum" REAL,
   PRIMARY KEY ("startID", "batchno")
) STRICT;
CREATE TABLE "validation" (
   "startID" INTEGER,
   "batchno" INTEGER,
   "epoch" REAL,
   "time" REAL,
   "cputime" REAL,
   "elapsed" REAL,
   "corperc" REAL,
   "avgloss" REAL,
   PRIMARY KEY ("startID", "batchno")
) STRICT;
CREATE TABLE "workers" (
   "startID" INTEGER,
   "worker" TEXT,
   "host" TEXT,
   "pid" INTEGER,
   "joined" TEXT,
   "left" TEXT,
   "reason" TEXT,
   "images" INTEGER,
   "seconds" REAL,
   "images_per_second" REAL,
   "fingerprint" TEXT,
   PRIMARY KEY ("startID", "worker")
) STRICT;
CREATE TABLE "events" (
   "id" INTEGER PRIMARY KEY AUTOINCREMENT,
   "startID" INTEGER,
   "batchno" INTEGER,
   "time" REAL,
   "elapsed" REAL,
   "kind" TEXT,
   "worker" TEXT,
   "text" TEXT
) STRICT;
CREATE TABLE "statistics" (
   "startID" INTEGER,
   "batchno" INTEGER,
   "name" TEXT,
   "subname" TEXT,
   "values_mean" REAL,
   "values_deviation" REAL,
   "values_min" REAL,
   "values_max" REAL,
   "values_norm" REAL,
   "values_zeros" REAL,
   "gradients_mean" REAL,
   "gradients_deviation" REAL,
   "gradients_min" REAL,
   "gradients_max" REAL,
   "gradients_norm" REAL,
   "gradients_zeros" REAL,
   "updates_mean" REAL,
   "updates_deviation" REAL,
   "updates_min" REAL,
   "updates_max" REAL,
   "updates_norm" REAL,
   "updates_zeros" REAL,
   PRIMARY KEY ("startID", "batchno", "name", "subname")
) STRICT;
CREATE TABLE "snapshots" (
   "startID" INTEGER,
   "batchno" INTEGER,
   "name" TEXT,
   "subname" TEXT,
   "shape" TEXT,
   "pos" INTEGER,
   "chunk" INTEGER,
   "matrices" INTEGER,
   "rows" INTEGER,
   "cols" INTEGER,
   PRIMARY KEY ("startID", "name", "subname", "batchno")
) STRICT;
CREATE TABLE "chunks" (
   "startID" INTEGER,
   "batchno" INTEGER,
   "chunk" INTEGER,
   "vals" BLOB,
   "grads" BLOB,
   PRIMARY KEY ("startID", "batchno", "chunk")
) STRICT;
CREATE TABLE "histograms" (
   "startID" INTEGER,
   "batchno" INTEGER,
   "name" TEXT,
   "subname" TEXT,
   "what" TEXT,
   "low" REAL,
   "high" REAL,
   "counts" TEXT,
   PRIMARY KEY ("startID", "batchno", "name", "subname", "what")
) STRICT;
CREATE TABLE "numbers" (
   "n" INTEGER PRIMARY KEY AUTOINCREMENT
) STRICT;
CREATE TABLE "float32" (
   "head" INTEGER PRIMARY KEY AUTOINCREMENT,
   "hidden" INTEGER,
   "unit" REAL
) STRICT;
CREATE TABLE "sweeps" (
   "sweep" INTEGER PRIMARY KEY AUTOINCREMENT,
   "uuid" TEXT,
   "name" TEXT,
   "created" TEXT,
   "over" TEXT,
   "sampler" TEXT,
   "trials" INTEGER,
   "prune_after" INTEGER,
   "seed" INTEGER,
   "settings" TEXT,
   "model" TEXT,
   "models" TEXT,
   "data" TEXT,
   "data_digest" TEXT,
   "folder" TEXT
) STRICT;
CREATE TABLE "trials" (
   "sweep" INTEGER,
   "number" INTEGER,
   "startID" INTEGER,
   "parameters" TEXT,
   "state" TEXT,
   "value" REAL,
   "step" INTEGER,
   PRIMARY KEY ("sweep", "number")
) STRICT;
CREATE UNIQUE INDEX runs_uuid ON runs (uuid);
CREATE INDEX events_run ON events (startID);
CREATE UNIQUE INDEX sweeps_name ON sweeps (name);
CREATE VIEW data AS SELECT
  s.startID, s.batchno, s.name, s.subname, i.n AS idx, r.n AS row, c.n AS col,
  (
    SELECT CASE
      WHEN f.hidden IS NOT NULL THEN (f.hidden | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 1, 1)) - 1) | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 2, 1)) - 1) << 8) | (((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 3, 1)) - 1) & 127) << 16))) * f.unit
      WHEN ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 1, 1)) - 1) | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 2, 1)) - 1) << 8) | (((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 3, 1)) - 1) & 127) << 16)) = 0 THEN f.unit
    END
    FROM chunks k JOIN float32 f ON f.head = (((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 4, 1)) - 1) << 1) | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.vals, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 3, 1)) - 1) >> 7))
    WHERE k.startID = s.startID AND k.batchno = s.batchno AND k.chunk = s.chunk + ((i.n * s."rows" + r.n) * s.cols + c.n) / 512
  ) AS val,
  (
    SELECT CASE
      WHEN f.hidden IS NOT NULL THEN (f.hidden | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 1, 1)) - 1) | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 2, 1)) - 1) << 8) | (((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 3, 1)) - 1) & 127) << 16))) * f.unit
      WHEN ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 1, 1)) - 1) | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 2, 1)) - 1) << 8) | (((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 3, 1)) - 1) & 127) << 16)) = 0 THEN f.unit
    END
    FROM chunks k JOIN float32 f ON f.head = (((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 4, 1)) - 1) << 1) | ((instr(x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', substr(k.grads, 4 * (((i.n * s."rows" + r.n) * s.cols + c.n) % 512) + 3, 1)) - 1) >> 7))
    WHERE k.startID = s.startID AND k.batchno = s.batchno AND k.chunk = s.chunk + ((i.n * s."rows" + r.n) * s.cols + c.n) / 512
  ) AS grad,
  s.pos + ((i.n * s."rows" + r.n) * s.cols + c.n) AS pos
FROM snapshots s
LEFT JOIN numbers i ON i.n < s.matrices
LEFT JOIN numbers r ON r.n < s."rows"
LEFT JOIN numbers c ON c.n < s.cols;
INSERT INTO runs VALUES (1, '7022a6c87e544db3a60dc283560ce1ef', 'old one', '2026-11-27T17:04:53.002+00:00', '2026-11-27T17:04:54.085+00:00', 'finished', '40 steps are done', 'letters', 'letters', 1, '39846ec3f0479e7a1b39df08aa9fd81b849a9d6fb810b6992b9b1babdbf50fdd', 'adam', 0.001, 64, 16, 2, 3, '{"workers": 2, "min_workers": null, "audit": 0.0, "batch_size": 64, "microbatch": 16, "optimizer": "adam", "lr": 0.001, "momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-08, "epochs": null, "steps": 40, "time_limit": null, "target": null, "dropout": 0.0, "augment": false, "seed": 3, "mailbox": true, "bind": null, "key": null, "insecure": false, "validate_every": 20, "checkpoint_every": 20, "snapshot_first": 32, "snapshot_every": 32, "snapshot_layers": null, "statistics_every": 32}', '{"gradsum": "0.1.0"}', 'box', 4194305, NULL, 2, NULL, 'gradsum train', 'runs/one', 40, 0.12779552715654952, 2.180932227463844, 66.65, 6601.939753586208, 0.6569921909999721, 2.1073427070000004, '946358546f0eaf58b754d681d5fe6c4f93d154d53a1a816383ed2bd8b53ef979');
INSERT INTO runs VALUES (2, 'e3598078e5fc518494c867a89cf0bba1', 'sweep/s1/1', '2026-11-27T17:04:55.245+00:00', '2026-11-27T17:04:55.668+00:00', 'finished', '5 steps are done', 'letters', 'letters', 1, '39846ec3f0479e7a1b39df08aa9fd81b849a9d6fb810b6992b9b1babdbf50fdd', 'adam', 0.001, 64, 16, 0, 3, '{"workers": 0, "min_workers": null, "audit": 0.0, "batch_size": 64, "microbatch": 16, "optimizer": "adam", "lr": 0.001, "momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-08, "epochs": null, "steps": 5, "time_limit": null, "target": null, "dropout": 0.0, "augment": false, "seed": 3, "mailbox": true, "bind": null, "key": null, "insecure": false, "validate_every": 0, "checkpoint_every": 0, "snapshot_first": 0, "snapshot_every": 0, "snapshot_layers": null, "statistics_every": 32}', '{"gradsum": "0.1.0"}', 'box', 4194305, NULL, 2, NULL, 'gradsum train', 'runs/one', 5, 0.01597444089456869, 3.2438946258649795, 11.85, 7752.178362070176, 0.2035337690003871, 0.20349052899999998, 'db28e50fb49241b148d33c3241044be07b34b725a9ea3686f77c1b2e0285a384');
INSERT INTO runs VALUES (3, '10de72a6a368533fbae544da39e2e62b', 'sweep/s1/2', '2026-11-27T17:04:55.679+00:00', '2026-11-27T17:04:55.940+00:00', 'finished', '5 steps are done', 'letters', 'letters', 1, '39846ec3f0479e7a1b39df08aa9fd81b849a9d6fb810b6992b9b1babdbf50fdd', 'adam', 0.01, 64, 16, 0, 3, '{"workers": 0, "min_workers": null, "audit": 0.0, "batch_size": 64, "microbatch": 16, "optimizer": "adam", "lr": 0.01, "momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-08, "epochs": null, "steps": 5, "time_limit": null, "target": null, "dropout": 0.0, "augment": false, "seed": 3, "mailbox": true, "bind": null, "key": null, "insecure": false, "validate_every": 0, "checkpoint_every": 0, "snapshot_first": 0, "snapshot_every": 0, "snapshot_layers": null, "statistics_every": 32}', '{"gradsum": "0.1.0"}', 'box', 4194305, NULL, 2, NULL, 'gradsum train', 'runs/one', 5, 0.01597444089456869, 3.491937659773761, 7.45, 6851.3436351788605, 0.2350041500003499, 0.23498387500000018, '3b3105c82747f1d4d726c86392e1923101821a89251abc14c275115197ab386f');
INSERT INTO training VALUES (1, 1, 0.003194888178913738, 1795799093.4409993, 0.020197316999656323, 1.214176567, 4.6875, 3.248873802420448, 64, 0.001, NULL);
INSERT INTO training VALUES (1, 2, 0.006389776357827476, 1795799093.4529388, 0.03148090099966794, 1.2324793790000004, 1.5625, 3.253720140326956, 64, 0.001, NULL);
INSERT INTO training VALUES (1, 3, 0.009584664536741214, 1795799093.46154, 0.0407482450000316, 1.2483982770000002, 1.5625, 3.271321410185573, 64, 0.001, NULL);
INSERT INTO validation VALUES (1, 20, 0.06389776357827476, 1795799093.757057, 1.5701762760000002, 0.3362617519997002, 42.7, 1.9775096993980628);
INSERT INTO validation VALUES (1, 40, 0.12779552715654952, 1795799094.0777297, 2.107280825, 0.6569282860000385, 66.65, 1.0980135430927216);
INSERT INTO validation VALUES (2, 5, 0.01597444089456869, 1795799095.6596818, 0.20343449600000008, 0.20347217700009423, 11.85, 3.2019942655502436);
INSERT INTO validation VALUES (3, 5, 0.01597444089456869, 1795799095.9338496, 0.23493402100000016, 0.23494727500019508, 7.45, 3.2756954451369764);
INSERT INTO workers VALUES (1, 'box:3223', 'box', 4194305, '2026-11-27T17:04:53.358+00:00', '2026-11-27T17:04:54.085+00:00', 'the run ended', 1280, 0.20706031999952756, 6181.773504469232, 'kernels numba');
INSERT INTO workers VALUES (1, 'box:3222', 'box', 4194305, '2026-11-27T17:04:53.411+00:00', '2026-11-27T17:04:54.085+00:00', 'the run ended', 1280, 0.20533162799893034, 6233.818006871636, 'kernels numba');
INSERT INTO events VALUES (1, 1, NULL, 1795799093.3583786, NULL, 'joined', 'box:3223', 'pid 3223 on vm');
INSERT INTO events VALUES (2, 1, NULL, 1795799093.4118633, NULL, 'joined', 'box:3222', 'pid 3222 on vm');
INSERT INTO sweeps VALUES (1, '8a857f279ece486aadfe6a533fda9d64', 's1', '2026-11-27T17:04:55.229+00:00', '{"lr": "0.001,0.01"}', 'grid', 2, 5, 3, '{"snapshot_first": 0, "snapshot_every": 0, "workers": 0, "steps": 5}', 'letters', '{"letters": {"layers": [{"type": "Flatten"}]}}', 'letters', '39846ec3f0479e7a1b39df08aa9fd81b849a9d6fb810b6992b9b1babdbf50fdd', 'runs/one');
INSERT INTO trials VALUES (1, 1, 2, '{"lr": 0.001}', 'finished', 11.85, 5);
INSERT INTO trials VALUES (1, 2, 3, '{"lr": 0.01}', 'finished', 7.45, 5);
