/** SETTINGS (RFC 9113, section 6.5). */
import {
  ConnectionError,
  defaultFramePayloadBytesMax,
  ErrorCode,
  framePayloadBytesLimit,
  SettingId,
  windowBytesMax,
} from "./protocol.js";

export type Setting = readonly [id: number, value: number];

/** The settings of a payload, in order, with the bounds of section 6.5.2 checked. Unknown ones are left out. */
export function readSettings(bytes: Buffer, start: number, end: number): Setting[] {
  const settings: Setting[] = [];
  for (let at = start; at < end; at += 6) {
    const id = bytes.readUInt16BE(at);
    const value = bytes.readUInt32BE(at + 2);
    checkSetting(id, value);
    settings.push([id, value]);
  }
  return settings;
}

function checkSetting(id: number, value: number): void {
  if (id === SettingId.EnablePush && value > 1) {
    throw new ConnectionError(ErrorCode.ProtocolError, `SETTINGS_ENABLE_PUSH ${value}`);
  }
  if (id === SettingId.InitialWindowSize && value > windowBytesMax) {
    throw new ConnectionError(ErrorCode.FlowControlError, `SETTINGS_INITIAL_WINDOW_SIZE ${value}`);
  }
  if (
    id === SettingId.MaxFrameSize &&
    (value < defaultFramePayloadBytesMax || value > framePayloadBytesLimit)
  ) {
    throw new ConnectionError(ErrorCode.ProtocolError, `SETTINGS_MAX_FRAME_SIZE ${value}`);
  }
}
