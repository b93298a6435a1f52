/** What the operator asked for can not be done; the text says which setting and why. The process ends with status 1. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
