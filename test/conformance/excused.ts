import type { Id } from "./ids.ts";

/** Statements without a test, each with the reason why it cannot apply, or, if it is only a SHOULD, why we do otherwise. */
export const EXCUSED: Partial<Record<Id, string>> = {
  "message-flow-phid-sparkplug-clean-session-50": "we speak MQTT 3.1.1 only",
  "principles-persistence-clean-session-50": "we speak MQTT 3.1.1 only",
  "payloads-ndeath-will-message-publisher-disconnect-mqtt50": "we speak MQTT 3.1.1 only",

  "operational-behavior-primary-application-state-with-multiple-servers-single-server": "an agent knows one broker",
  "operational-behavior-primary-application-state-with-multiple-servers-state-subs": "an agent knows one broker",
  "operational-behavior-primary-application-state-with-multiple-servers-walk": "an agent knows one broker",
  "operational-behavior-primary-application-state-with-multiple-servers-state": "a collector knows one broker",
  "operational-behavior-host-application-multi-server-timestamp": "a collector knows one broker",

  "operational-behavior-host-application-host-id":
    "no host can see the others' ids; the broker ends the older of two sessions, because the client id is made of the host id",
  "case-sensitivity-sparkplug-ids": "a SHOULD; ids are taken as written, and topics are case sensitive",

  "topics-dcmd-topic": "the collector writes to no meter: Khu Xanh only reads",
  "topics-dcmd-mqtt": "the collector writes to no meter: Khu Xanh only reads",
  "topics-dcmd-timestamp": "the collector writes to no meter: Khu Xanh only reads",
  "topics-dcmd-payload": "the collector writes to no meter: Khu Xanh only reads",
  "payloads-dcmd-qos": "the collector writes to no meter: Khu Xanh only reads",
  "payloads-dcmd-retain": "the collector writes to no meter: Khu Xanh only reads",
  "payloads-dcmd-seq": "the collector writes to no meter: Khu Xanh only reads",
  "payloads-dcmd-timestamp": "the collector writes to no meter: Khu Xanh only reads",
  "operational-behavior-data-commands-dcmd-verb": "the collector writes to no meter: Khu Xanh only reads",
  "operational-behavior-data-commands-dcmd-metric-name": "the collector writes to no meter: Khu Xanh only reads",
  "operational-behavior-data-commands-dcmd-metric-value": "the collector writes to no meter: Khu Xanh only reads",

  "principles-rbe-recommended": "a SHOULD; metering samples by the clock, so that intervals have evidence at both ends",
  "operational-behavior-data-publish-nbirth-change": "a SHOULD; see principles-rbe-recommended",
  "operational-behavior-data-publish-dbirth-change": "a SHOULD; see principles-rbe-recommended",

  "topics-nbirth-templates": "we have no templates",
};
