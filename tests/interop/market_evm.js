// market_evm.js SOURCE RECORDS PROBE: contracts/CasemateReceipts.sol, compiled and run in an EVM,
// against the C library: the same verdict on every record, whole or altered, the same digests.
// $CASEMATE_CONTRACTS holds the packages (tools/get-contracts.sh); without them: a skip (77).
"use strict";
const fs = require("fs");
const path = require("path");
const { createRequire } = require("module");
const { spawnSync } = require("child_process");

const [, , source, records, probe] = process.argv;
const packages = process.env.CASEMATE_CONTRACTS || "";
if (!fs.existsSync(path.join(packages, "stamp"))) {
    console.log(`SKIP: no Solidity compiler and EVM in ${packages}: tools/get-contracts.sh`);
    process.exit(77);
}
const need = createRequire(path.join(packages, "package.json"));

function check(holds, what) {
    if (!holds) throw new Error(what);
}

// ---- compiling and calling

function compile() {
    const solc = need("solc");
    const name = "CasemateReceipts.sol";
    const input = {
        language: "Solidity",
        sources: { [name]: { content: fs.readFileSync(source, "utf8") } },
        settings: {
            optimizer: { enabled: true, runs: 10000 },
            evmVersion: "paris",
            outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.methodIdentifiers"] } },
        },
    };
    const out = JSON.parse(solc.compile(JSON.stringify(input)));
    check(!out.errors, JSON.stringify(out.errors));
    return out.contracts[name].CasemateReceipts.evm;
}

const bytesOf = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hexOf = (bytes) => Buffer.from(bytes).toString("hex");
const wordOf = (n) => n.toString(16).padStart(64, "0");

// The ABI's encoding: `bytes` arguments as hex, numbers as they are.
function encode(selector, args) {
    let head = "", tail = "";
    for (const a of args) {
        if (typeof a === "number") {
            head += wordOf(a);
            continue;
        }
        head += wordOf(32 * args.length + tail.length / 2);
        tail += wordOf(a.length / 2) + a.padEnd(Math.ceil(a.length / 64) * 64, "0");
    }
    return selector + head + tail;
}

class Contract {
    static async deploy() {
        const { EVM } = need("@ethereumjs/evm");
        const c = new Contract();
        const { bytecode, methodIdentifiers } = compile();
        c.methods = {};
        for (const [name, selector] of Object.entries(methodIdentifiers))
            c.methods[name.split("(")[0]] = selector;
        c.evm = await EVM.create();
        const made = await c.evm.runCall({ data: bytesOf(bytecode.object), gasLimit: 30000000n });
        check(!made.execResult.exceptionError, "not deployed");
        c.address = made.createdAddress;
        c.size = bytecode.object.length / 2;
        return c;
    }

    // {value, gas}: value is undefined when it reverts. gas is what a transaction pays for it.
    async call(method, ...args) {
        const data = bytesOf(encode(this.methods[method], args));
        const r = await this.evm.runCall({ to: this.address, data, gasLimit: 30000000n });
        const e = r.execResult.exceptionError;
        check(!e || e.error === "revert", `${method}: ${e && e.error}`);
        const paid = data.reduce((sum, b) => sum + (b ? 16 : 4), 21000);
        return {
            value: e ? undefined : hexOf(r.execResult.returnValue),
            clause: e ? Number("0x" + (hexOf(r.execResult.returnValue).slice(-4) || "0")) : 0,
            gas: paid + Number(r.execResult.executionGasUsed),
        };
    }
}

// ---- records

// Numbers that are the same in every run.
let seed = 12345;
const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;

function altered(record, n) {
    const list = [record.slice(0, -2), record + "00"];
    for (let i = 0; i < n; i++) {
        const b = bytesOf(record);
        b[random(Math.min(b.length, 900))] ^= 1 << random(8);
        list.push(hexOf(b));
    }
    return list;
}

function ask(lines) {
    const r = spawnSync(probe, [], { input: lines.join(""), maxBuffer: 1 << 28 });
    check(r.status === 0, "the probe failed");
    return r.stdout.toString().trim().split("\n");
}

// High s, which signs as well but for M-9; and the other v.
function twisted(record) {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const at = record.length - 130;
    const s = wordOf(order - BigInt("0x" + record.slice(at + 64, at + 128)));
    const v = record.slice(-2) === "1b" ? "1c" : "1b";
    return [record.slice(0, at + 64) + s + v, record.slice(0, -2) + v, record.slice(0, -2) + "00"];
}

async function main() {
    const c = await Contract.deploy();
    const list = spawnSync(records, [], { maxBuffer: 1 << 28 }).stdout.toString().trim().split("\n")
        .map((line) => JSON.parse(line));
    const cases = [], gas = {};
    for (const x of list) {
        const more = x.secp && !x.mldsa ? altered(x.record, 12).concat(twisted(x.record)) : [];
        for (const record of [x.record, ...more]) cases.push({ ...x, record });
    }
    const verdicts = ask(cases.map((x) =>
        `${x.kind[0]} 3 ${x.secp || "-"} ${x.mldsa || "-"} ${x.record || "-"}\n`));
    let same = 0, refused = 0, foreign = 0, paths = 0;
    for (const [i, x] of cases.entries()) {
        const method = x.kind === "receipt" ? "verifyReceipt" : "verifySettlement";
        const got = await c.call(method, x.record, x.secp.slice(2), 0);
        const ok = verdicts[i].startsWith("OKAY ");
        if (x.mldsa) { // M-11: its signature can't be looked at here, so nothing is believed
            check(ok && got.value === undefined, `${i}: ML-DSA is passed over`);
            foreign++;
        } else {
            check((got.value !== undefined) === ok, `${i}: ${verdicts[i]}, clause ${got.clause}`);
            check(!ok || verdicts[i] === "OKAY " + got.value, `${i}: another digest`);
            ok ? same++ : refused++;
            const depth = x.kind === "receipt" && ok && x.record.length > 2 * 389
                ? ` in a batch, ${parseInt(x.record.slice(664, 666), 16)} hashes` : "";
            if (ok) gas[x.kind + depth] = got.gas;
        }
        if (ok) { // digests and paths hold whoever signed
            const size = x.kind === "receipt" ? 648 : 560;
            const d = await c.call(x.kind + "Digest", x.record.slice(0, size));
            check(verdicts[i] === "OKAY " + d.value, `${i}: another digest`);
        }
        if (ok && x.kind === "receipt" && x.record.slice(12, 16) === "0004") {
            check((await c.call("verifyInclusion", x.record)).value, `${i}: the path`);
            const bad = bytesOf(x.record);
            bad[324 + 9 + random(32)] ^= 1;
            check((await c.call("verifyInclusion", hexOf(bad))).clause === 30, `${i}: a bad path`);
            paths++;
        }
    }
    // M-13: the record's own hour, and half a minute around it.
    const one = list.find((x) => x.kind === "receipt" && x.secp && !x.mldsa);
    const now = 1800000000000;
    for (const [at, holds] of [[now, 1], [now - 30000, 1], [now - 30001, 0], [now + 3630000, 1],
        [now + 3630001, 0]]) {
        const got = await c.call("verifyReceipt", one.record, one.secp.slice(2), at);
        check((got.value !== undefined) === !!holds, `time ${at}`);
    }
    check(same > 20 && refused > 300 && foreign > 20 && paths > 20, "too few cases");
    console.log(`${same} records verify, ${refused} altered ones are refused as in C, ${foreign} ` +
        `with ML-DSA are refused, ${paths} paths; ${c.size} bytes of code`);
    for (const [what, n] of Object.entries(gas)) console.log(`gas ${what}: ${n}`);
}

main().catch((e) => {
    console.error(e);
    process.exit(1);
});
