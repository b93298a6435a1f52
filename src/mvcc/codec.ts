/** The wire forms of the hot rpcs of the KV service, in one place for api/ and apply/. */
export {
  decodeCompactionRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
} from "./decode.js";
export {
  encodeCompactionResponse,
  encodeDeleteRangeResponse,
  encodePutResponse,
  encodeRangeBegin,
  encodeRangeResponse,
  encodeTxnResponse,
  type ResponseHeader,
} from "./encode.js";
export {
  decodeKeyValue,
  encodeKeyValue,
  type KeyValue,
  storedKey,
  storedKeyBytes,
  storedLease,
  storedValue,
} from "./key-value.js";
export { RangeEncoder } from "./range-encoder.js";
