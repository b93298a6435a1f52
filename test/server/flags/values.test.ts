import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openSslCipherNames } from "../../../src/server/flags/cipher-suites.js";
import { ConfigError } from "../../../src/server/flags/config-error.js";
import { formatDurationMs, parseDurationMs } from "../../../src/server/flags/duration.js";
import { parseFeatureGates } from "../../../src/server/flags/feature-gates.js";
import { parseBool, parseInteger } from "../../../src/server/flags/go-values.js";
import {
  checkListenUrls,
  parseServerUrl,
  parseServerUrls,
  urlTexts,
} from "../../../src/server/flags/urls.js";

describe("durations in Go's notation", () => {
  test.each([
    ["0", 0],
    ["5s", 5_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["100ms", 100],
    ["500us", 0.5],
    ["500µs", 0.5],
    ["-2s", -2_000],
    [".5s", 500],
    ["600000000000ns", 600_000],
  ])("%s", (text, ms) => {
    expect(parseDurationMs(text)).toBeCloseTo(ms, 9);
  });

  test.each([[""], ["5"], ["s"], ["5 s"], ["5sx"], ["--5s"], ["1d"]])("%j is none", (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });

  test.each([
    [0, "0s"],
    [100, "100ms"],
    [1_000, "1s"],
    [90_000, "1m30s"],
    [7_200_000, "2h0m0s"],
    [0.5, "500µs"],
    [0.00025, "250ns"],
    [-1_500, "-1.5s"],
  ])("%d ms is printed as %s", (ms, text) => {
    expect(formatDurationMs(ms)).toBe(text);
  });

  test("what is printed is read back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (ms) => {
        expect(parseDurationMs(formatDurationMs(ms))).toBeCloseTo(ms, 3);
      }),
    );
  });
});

describe("numbers and booleans", () => {
  test.each([
    ["0", 0],
    ["0x10", 16],
    ["010", 8],
    ["0b11", 3],
    ["18446744073709551615", Number.MAX_SAFE_INTEGER],
    ["18446744073709551616", "value out of range"],
    ["-1", "parse error"],
    ["089", "parse error"],
    ["", "parse error"],
    ["1e3", "parse error"],
  ] as const)("uint %j", (text, value) => {
    expect(parseInteger(text, "uint")).toBe(value);
  });

  test("int takes signs, uint32 ends at 2^32", () => {
    expect(parseInteger("-5", "int")).toBe(-5);
    expect(parseInteger("+5", "int")).toBe(5);
    expect(parseInteger("4294967295", "uint32")).toBe(4_294_967_295);
    expect(parseInteger("4294967296", "uint32")).toBe("value out of range");
  });

  test("booleans are Go's", () => {
    expect(["1", "t", "TRUE", "True"].map(parseBool)).toEqual([true, true, true, true]);
    expect(["0", "F", "false"].map(parseBool)).toEqual([false, false, false]);
    expect(parseBool("yes")).toBeUndefined();
  });
});

describe("URLs", () => {
  test("host, port and IPv6 brackets", () => {
    expect(parseServerUrl("http://127.0.0.1:2380")).toMatchObject({
      scheme: "http",
      host: "127.0.0.1",
      port: 2380,
    });
    expect(parseServerUrl("https://[::1]:2380")).toMatchObject({ scheme: "https", host: "::1", port: 2380 });
    expect(parseServerUrl("unix://m1:23800")).toMatchObject({ scheme: "unix", host: "m1:23800" });
  });

  test("a list is sorted, so that all members see one order", () => {
    expect(urlTexts(parseServerUrls(["http://localhost:2", " http://127.0.0.1:1"]))).toEqual([
      "http://127.0.0.1:1",
      "http://localhost:2",
    ]);
  });

  test.each([
    ["http://127.0.0.1", 'URL address does not have the form "host:port": http://127.0.0.1'],
    ["http://127.0.0.1:2380/", "URL must not contain a path: http://127.0.0.1:2380/"],
    ["http://127.0.0.1:x", 'parse "http://127.0.0.1:x": invalid port ":x" after host'],
    ["127.0.0.1:2379", 'parse "127.0.0.1:2379": first path segment in URL cannot contain colon'],
    ["localhost:2379", "URL scheme must be http, https, unix, or unixs: localhost:2379"],
  ])("%s", (text, message) => {
    expect(() => parseServerUrl(text)).toThrow(new ConfigError(message));
  });

  test("a name that is not this machine can not be listened on", () => {
    expect(() => checkListenUrls(parseServerUrls(["http://foo:2380"]))).toThrow(
      "expected IP in URL for binding (http://foo:2380)",
    );
    checkListenUrls(parseServerUrls(["http://localhost:2380", "http://[::]:1", "http://0.0.0.0:2"]));
  });
});

describe("feature gates", () => {
  test("lease checkpoints are on unless switched off, and then are not kept either", () => {
    expect(parseFeatureGates("")).toMatchObject({ LeaseCheckpoint: true, LeaseCheckpointPersist: true });
    expect(parseFeatureGates("LeaseCheckpoint=false")).toMatchObject({
      LeaseCheckpoint: false,
      LeaseCheckpointPersist: false,
    });
    expect(() => parseFeatureGates("LeaseCheckpoint=false,LeaseCheckpointPersist=true")).toThrow(ConfigError);
  });

  test("a whole stage is switched, but not what is named", () => {
    const gates = parseFeatureGates("AllAlpha=true, PriorityRequest=false,");
    expect(gates).toMatchObject({ CompactHashCheck: true, PriorityRequest: false, FastLeaseKeepAlive: true });
  });

  test("mistakes", () => {
    expect(() => parseFeatureGates("AllBeta")).toThrow("missing bool value for AllBeta");
    expect(() => parseFeatureGates("AllBeta=x")).toThrow("invalid value of AllBeta=x");
    expect(() => parseFeatureGates("constructor=true")).toThrow("unrecognized feature gate: constructor");
  });
});

test("cipher suites are translated for OpenSSL, unknown ones refused", () => {
  expect(openSslCipherNames(["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"])).toEqual([
    "ECDHE-RSA-AES128-GCM-SHA256",
  ]);
  expect(() => openSslCipherNames(["toString"])).toThrow('unexpected TLS cipher suite "toString"');
});
