// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// Receipts, settlements and inclusion paths of spec/market.md, verified on a chain. secp256k1
/// alone: a record that names ML-DSA too is refused here (M-11), and verified off the chain.
/// A key is the 64 bytes of its point's coordinates. Times are milliseconds; a time of 0 leaves
/// expiry and date out. Nothing is stored: a nonce and a job are the caller's to remember.
contract CasemateReceipts {
    /// The number of the requirement that does not hold: 5 is M-5.
    error Refused(uint256 clause);

    uint256 private constant POAI = 324;
    uint256 private constant SETTLE = 280;
    uint256 private constant HEAD = 164;
    uint256 private constant SIG = 65;
    uint256 private constant SKEW = 30000;
    uint256 private constant HALF_ORDER =
        0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    // ---- digests, of any statement (M-6)

    function receiptDigest(bytes calldata statement) public pure returns (bytes32) {
        demand(statement.length == POAI, 1);
        return keccak256(abi.encodePacked("casemate/poai/receipt/v1", statement));
    }

    function settlementDigest(bytes calldata statement) public pure returns (bytes32) {
        demand(statement.length == SETTLE, 1);
        return keccak256(abi.encodePacked("casemate/hmm/settlement/v1", statement));
    }

    function keyId(bytes calldata key) public pure returns (bytes32) {
        demand(key.length == 64, 5);
        return keccak256(abi.encodePacked("casemate/market/key/v1", uint16(1), key));
    }

    // ---- records

    /// A receipt with its own signature, or one of a batch. Returns its digest.
    function verifyReceipt(bytes calldata record, bytes calldata key, uint256 nowMs)
        external
        pure
        returns (bytes32)
    {
        demand(record.length >= POAI, 1);
        bytes calldata s = record[:POAI];
        checkReceipt(s);
        checkTime(s, nowMs);
        if (number(s, 6, 2) == 4) {
            bytes calldata head = inBatch(record);
            demand(word(head, 60) == keyId(key) && number(head, 6, 2) == 1, 5);
            bytes32 signed = keccak256(abi.encodePacked("casemate/poai/batch/v1", head));
            checkSignature(signed, record[record.length - SIG:], key);
            return receiptDigest(s);
        }
        demand(number(s, 6, 2) == 1 && word(s, 60) == keyId(key), 5);
        demand(record.length == POAI + SIG, 1);
        bytes32 digest = receiptDigest(s);
        checkSignature(digest, record[POAI:], key);
        return digest;
    }

    /// Returns the settlement's digest.
    function verifySettlement(bytes calldata record, bytes calldata key, uint256 nowMs)
        external
        pure
        returns (bytes32)
    {
        demand(record.length == SETTLE + SIG, 1);
        bytes calldata s = record[:SETTLE];
        checkHead(s, "CMHS", 86400000);
        demand(number(s, 10, 2) == 1, 4);
        demand(number(s, 6, 2) == 1 && word(s, 60) == keyId(key), 5);
        demand(
            word(s, 124) != 0 && number(s, 156, 20) != 0 && number(s, 176, 20) != 0
                && word(s, 248) != 0,
            8
        );
        checkTime(s, nowMs);
        bytes32 digest = settlementDigest(s);
        checkSignature(digest, record[SETTLE:], key);
        return digest;
    }

    /// That the receipt is under the batch's head it brings, whoever signed that. Returns the root.
    function verifyInclusion(bytes calldata record) external pure returns (bytes32) {
        demand(record.length >= POAI, 1);
        checkReceipt(record[:POAI]);
        bytes calldata head = inBatch(record);
        return word(head, 132);
    }

    // ---- statements

    function checkHead(bytes calldata s, bytes4 magic, uint256 longest) private pure {
        demand(bytes4(s[:4]) == magic && number(s, 4, 2) == 1, 1);
        demand(number(s, 8, 2) == 1, 4);
        uint256 issued = number(s, 12, 8);
        uint256 expires = number(s, 20, 8);
        demand(issued > 0 && issued < expires && word(s, 60) != 0 && word(s, 92) != 0, 3);
        demand(expires - issued <= longest, 12);
    }

    function checkReceipt(bytes calldata s) private pure {
        checkHead(s, "CMPA", 3600000);
        uint256 algorithms = number(s, 6, 2);
        uint256 claims = number(s, 10, 2);
        demand(algorithms >= 1 && algorithms <= 4, 3);
        demand(claims < 8, 7);
        demand((claims & 1 != 0) == (word(s, 260) != 0), 7);
        demand((claims & 2 != 0) == (word(s, 292) != 0), 7);
        demand(word(s, 132) != 0 && word(s, 164) != 0 && word(s, 196) != 0 && word(s, 228) != 0, 7);
    }

    function checkTime(bytes calldata s, uint256 nowMs) private pure {
        if (nowMs == 0) return;
        demand(number(s, 12, 8) <= nowMs + SKEW && nowMs <= number(s, 20, 8) + SKEW, 13);
    }

    // ---- batches (M-30, M-31)

    function inBatch(bytes calldata record) private pure returns (bytes calldata head) {
        demand(number(record, 6, 2) == 4 && record.length > POAI + 8, 30);
        uint256 hashes = number(record, 332, 1);
        uint256 at = POAI + 9 + 32 * hashes;
        demand(hashes <= 20 && record.length >= at + HEAD, 30);
        head = record[at:at + HEAD];
        checkHead(head, "CMPB", 3600000);
        uint256 algorithms = number(head, 6, 2);
        uint256 count = number(head, 124, 8);
        demand(algorithms >= 1 && algorithms <= 3 && number(head, 10, 2) == 0, 3);
        demand(count > 0 && count <= 1 << 20, 1);
        demand(record.length == at + HEAD + signatures(algorithms), 1);
        demand(word(head, 60) == word(record, 60) && word(head, 28) == word(record, 28), 31);
        bytes32 leaf = sha256(abi.encodePacked(uint8(0), record[:POAI]));
        bytes32 root = pathRoot(leaf, number(record, POAI, 8), count, record[333:at]);
        demand(root == word(head, 132), 30);
    }

    function signatures(uint256 algorithms) private pure returns (uint256) {
        return (algorithms & 1) * SIG + (algorithms >> 1 & 1) * 3309;
    }

    /// RFC 9162, 2.1.3.2
    function pathRoot(bytes32 r, uint256 fn, uint256 size, bytes calldata path)
        private
        pure
        returns (bytes32)
    {
        demand(fn < size, 30);
        uint256 sn = size - 1;
        for (uint256 at = 0; at < path.length; at += 32) {
            demand(sn != 0, 30);
            if (fn & 1 == 1 || fn == sn) {
                r = sha256(abi.encodePacked(uint8(1), word(path, at), r));
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                r = sha256(abi.encodePacked(uint8(1), r, word(path, at)));
            }
            fn >>= 1;
            sn >>= 1;
        }
        demand(sn == 0, 30);
        return r;
    }

    // ---- signatures (M-9)

    function checkSignature(bytes32 digest, bytes calldata sig, bytes calldata key) private pure {
        uint8 v = uint8(sig[64]);
        demand(v == 27 || v == 28, 9);
        demand(number(sig, 32, 32) <= HALF_ORDER, 9);
        address signer = ecrecover(digest, v, word(sig, 0), word(sig, 32));
        demand(signer != address(0) && signer == address(uint160(uint256(keccak256(key)))), 9);
    }

    // ---- bytes

    function word(bytes calldata b, uint256 at) private pure returns (bytes32) {
        return bytes32(b[at:at + 32]);
    }

    function number(bytes calldata b, uint256 at, uint256 n) private pure returns (uint256) {
        return uint256(bytes32(b[at:at + n])) >> (256 - 8 * n);
    }

    function demand(bool holds, uint256 clause) private pure {
        if (!holds) revert Refused(clause);
    }
}
