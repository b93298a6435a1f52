/**
 * URLs as etcd takes them for listening and advertising: http, https, unix and unixs, with "host:port" and no
 * path. Texts of errors are etcd's, as operators search for them.
 */
import { isIP } from "node:net";
import { ConfigError } from "./config-error.js";

export type UrlScheme = "http" | "https" | "unix" | "unixs";

export interface ServerUrl {
  readonly scheme: UrlScheme;
  /** Without the brackets of an IPv6 address; for unix the path of the socket. */
  readonly host: string;
  /** 0 for unix. */
  readonly port: number;
  /** As it was given. */
  readonly text: string;
}

/** Parses each text; the result is sorted by text. Throws ConfigError. */
export function parseServerUrls(texts: readonly string[]): readonly ServerUrl[] {
  const urls = texts.map((text) => parseServerUrl(text.trim()));
  return urls.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
}

/** Parses one URL. Throws ConfigError. */
export function parseServerUrl(text: string): ServerUrl {
  const unix = /^(unixs?):(?:\/\/)?(.*)$/.exec(text);
  if (unix !== null) return { scheme: unix[1] as UrlScheme, host: unix[2]!, port: 0, text };
  const match = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(text);
  if (match === null) {
    if (/^[^a-zA-Z/?#][^/?#]*:/.test(text)) {
      throw new ConfigError(`parse ${JSON.stringify(text)}: first path segment in URL cannot contain colon`);
    }
    throw new ConfigError(`URL scheme must be http, https, unix, or unixs: ${text}`);
  }
  const [host, portText] = splitHostPort(match[2]!, text);
  if (match[3] !== "") throw new ConfigError(`URL must not contain a path: ${text}`);
  return { scheme: match[1]!.toLowerCase() as UrlScheme, host, port: Number(portText), text };
}

function splitHostPort(authority: string, text: string): readonly [host: string, port: string] {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(.*)$/.exec(authority);
  if (match === null) {
    throw new ConfigError(`URL address does not have the form "host:port": ${text}`);
  }
  const port = match[3]!;
  if (!/^\d*$/.test(port) || Number(port) > 65_535) {
    throw new ConfigError(
      `parse ${JSON.stringify(text)}: invalid port ${JSON.stringify(`:${port}`)} after host`,
    );
  }
  return [match[1] ?? match[2]!, port];
}

/** A process can listen only on addresses of its machine, so a listening URL names an IP address or localhost. */
export function checkListenUrls(urls: readonly ServerUrl[]): void {
  for (const url of urls) {
    if (url.scheme === "unix" || url.scheme === "unixs" || url.host === "localhost") continue;
    if (isIP(url.host) === 0) throw new ConfigError(`expected IP in URL for binding (${url.text})`);
  }
}

/** An advertised URL must name a host; `describe` makes etcd's text for its flag from the reason. */
export function checkAdvertisedUrls(urls: readonly ServerUrl[], describe: (reason: string) => string): void {
  for (const url of urls) {
    if (url.host === "") throw new ConfigError(describe(`unexpected empty host (${url.text})`));
  }
}

/** The texts, as they are listed in log lines and sent to other members. */
export function urlTexts(urls: readonly ServerUrl[]): readonly string[] {
  return urls.map((url) => url.text);
}
