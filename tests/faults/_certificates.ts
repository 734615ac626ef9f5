/**
 * Certificates for tests: an authority of our own and what it signs, written out byte by byte, as neither runtime makes
 * any and no program for it is on every machine.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is to say. */
export interface CertificateOptions {
  /** The name that it is for. */
  readonly host: string;
  /** From when to when; a day around now, if not given. */
  readonly validity?: readonly [from: Date, to: Date];
}

const DAY = 86_400_000;

/** An authority that nobody knows. */
export class Authority {
  readonly #name = `Authority ${randomBytes(4).toString("hex")}`;
  readonly #pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  /** Its own certificate: what who trusts it is given. */
  readonly cert: string;

  constructor() {
    const { publicKey } = this.#pair;
    this.cert = this.#certify({ subject: this.#name, publicKey, extensions: [AUTHORITY] });
  }

  /** Makes a certificate. */
  issue({ host, validity }: CertificateOptions): Certificate {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return {
      cert: this.#certify({ subject: host, publicKey, extensions: [forHost(host)], validity }),
      key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    };
  }

  #certify({ subject, publicKey, extensions, validity = aroundNow() }: {
    readonly subject: string;
    readonly publicKey: KeyObject;
    readonly extensions: readonly Buffer[];
    readonly validity?: readonly [Date, Date];
  }): string {
    const content = sequence(
      tagged(0xa0, der(0x02, Buffer.from([2]))), // the third version
      der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
      ECDSA_SHA256,
      named(this.#name),
      sequence(...validity.map(instant)),
      named(subject),
      publicKey.export({ type: "spki", format: "der" }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = sign("sha256", content, this.#pair.privateKey);
    const whole = sequence(content, ECDSA_SHA256, bits(signature));
    const lines = whole.toString("base64").match(/.{1,64}/g)!.join("\n");
    return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
  }
}

function aroundNow(): readonly [Date, Date] {
  return [new Date(Date.now() - DAY), new Date(Date.now() + DAY)];
}

/** One value: what it is, how long, itself. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head = length < 128
    ? [tag, length]
    : length < 256
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function tagged(tag: number, content: Buffer): Buffer {
  return der(tag, content);
}

function bits(content: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.from([0]), content]));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function named(commonName: string): Buffer {
  const attribute = sequence(oid("550403"), der(0x0c, Buffer.from(commonName)));
  return sequence(der(0x31, attribute));
}

/** In this century's two digits. */
function instant(date: Date): Buffer {
  const text = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "").slice(2);
  return der(0x17, Buffer.from(text));
}

const ECDSA_SHA256 = sequence(oid("2a8648ce3d040302"));

const CRITICAL = der(0x01, Buffer.from([255]));

/** It may sign others. */
const AUTHORITY = sequence(oid("551d13"), CRITICAL, der(0x04, sequence(CRITICAL)));

/** By name, or by address. */
function forHost(host: string): Buffer {
  const address = /^\d+\.\d+\.\d+\.\d+$/.test(host);
  const name = address
    ? der(0x87, Buffer.from(host.split(".").map(Number)))
    : der(0x82, Buffer.from(host));
  return sequence(oid("551d11"), der(0x04, sequence(name)));
}
