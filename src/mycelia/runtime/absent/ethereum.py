"""Absent rows of the pallets that run other machines' programs: EVM and contracts.

Source: the metadata catalogue of the client SDK 11.3, subtensor@14bc6f9 `runtime/src/lib.rs` (indexes).
"""

from __future__ import annotations

from typing import Final

from mycelia.codec import H160, H256, U8, U32, U64, Bytes, Compact
from mycelia.frame import Weight
from mycelia.frame.address import Address
from mycelia.primitives import AccountId, Tao
from mycelia.runtime.absent.declare import (
    Absent,
    blake,
    call,
    constant,
    entries,
    errors,
    event,
    identity,
    in_order,
    twox,
)
from mycelia.runtime.absent.shapes import (
    BOUNDED_BYTES,
    U256,
    Array,
    Choice,
    Struct,
    case,
    many,
    newtype,
    optional,
    several,
)

_NO_NUMBER: Final = (0, 0, 0, 0)
_ACCESS: Final = many(
    Struct(
        "ethereum::transaction::eip2930::AccessListItem",
        address=H160,
        storage_keys=tuple[H256, ...],
    )
)
_MALLEABLE: Final = Struct(
    "ethereum::transaction::eip2930::MalleableTransactionSignature",
    odd_y_parity=bool,
    r=H256,
    s=H256,
)
_SIGNATURE: Final = Struct(
    "ethereum::transaction::eip2930::TransactionSignature", odd_y_parity=bool, r=H256, s=H256
)
_LEGACY_SIGNATURE: Final = Struct(
    "ethereum::transaction::legacy::TransactionSignature",
    v=newtype("ethereum::transaction::legacy::TransactionRecoveryId", U64),
    r=H256,
    s=H256,
)
_AUTHORIZATIONS: Final = many(
    Struct(
        "ethereum::transaction::eip7702::AuthorizationListItem",
        chain_id=U64,
        address=H160,
        nonce=U256,
        signature=_MALLEABLE,
    )
)
_ACTION: Final = Choice(
    "ethereum::transaction::legacy::TransactionAction", case("Call", H160), "Create"
)
_FEES: Final = {"max_priority_fee_per_gas": U256, "max_fee_per_gas": U256}
TRANSACTION: Final = Choice(
    "ethereum::transaction::TransactionV3",
    case(
        "Legacy",
        Struct(
            "ethereum::transaction::legacy::LegacyTransaction",
            nonce=U256,
            gas_price=U256,
            gas_limit=U256,
            action=_ACTION,
            value=U256,
            input=Bytes,
            signature=_LEGACY_SIGNATURE,
        ),
    ),
    case(
        "EIP2930",
        Struct(
            "ethereum::transaction::eip2930::EIP2930Transaction",
            chain_id=U64,
            nonce=U256,
            gas_price=U256,
            gas_limit=U256,
            action=_ACTION,
            value=U256,
            input=Bytes,
            access_list=_ACCESS,
            signature=_SIGNATURE,
        ),
    ),
    case(
        "EIP1559",
        Struct(
            "ethereum::transaction::eip1559::EIP1559Transaction",
            chain_id=U64,
            nonce=U256,
            **_FEES,
            gas_limit=U256,
            action=_ACTION,
            value=U256,
            input=Bytes,
            access_list=_ACCESS,
            signature=_SIGNATURE,
        ),
    ),
    case(
        "EIP7702",
        Struct(
            "ethereum::transaction::eip7702::EIP7702Transaction",
            chain_id=U64,
            nonce=U256,
            **_FEES,
            gas_limit=U256,
            destination=_ACTION,
            value=U256,
            data=Bytes,
            access_list=_ACCESS,
            authorization_list=_AUTHORIZATIONS,
            signature=_SIGNATURE,
        ),
    ),
)
_BLOOM: Final = newtype("ethbloom::Bloom", Array(U8, 256))
_LOG: Final = Struct("ethereum::log::Log", address=H160, topics=tuple[H256, ...], data=Bytes)
_RECEIPT_DATA: Final = Struct(
    "ethereum::receipt::EIP658ReceiptData",
    status_code=U8,
    used_gas=U256,
    logs_bloom=_BLOOM,
    logs=many(_LOG),
)
_RECEIPT: Final = Choice(
    "ethereum::receipt::ReceiptV4",
    case("Legacy", _RECEIPT_DATA),
    case("EIP2930", _RECEIPT_DATA),
    case("EIP1559", _RECEIPT_DATA),
    case("EIP7702", _RECEIPT_DATA),
)
_TRANSACTION_STATUS: Final = Struct(
    "fp_rpc::TransactionStatus",
    transaction_hash=H256,
    transaction_index=U32,
    from_=H160,
    to=optional(H160),
    contract_address=optional(H160),
    logs=many(_LOG),
    logs_bloom=_BLOOM,
)
_HEADER: Final = Struct(
    "ethereum::header::Header",
    parent_hash=H256,
    ommers_hash=H256,
    beneficiary=H160,
    state_root=H256,
    transactions_root=H256,
    receipts_root=H256,
    logs_bloom=_BLOOM,
    difficulty=U256,
    number=U256,
    gas_limit=U256,
    gas_used=U256,
    timestamp=U64,
    extra_data=Bytes,
    mix_hash=H256,
    nonce=newtype("ethereum_types::hash::H64", Array(U8, 8)),
)
_BLOCK: Final = Struct(
    "ethereum::block::Block",
    header=_HEADER,
    transactions=many(TRANSACTION),
    ommers=many(_HEADER),
)
_EXIT: Final = Choice(
    "evm_core::error::ExitReason",
    case("Succeed", Choice("evm_core::error::ExitSucceed", "Stopped Returned Suicided")),
    case(
        "Error",
        Choice(
            "evm_core::error::ExitError",
            "StackUnderflow StackOverflow InvalidJump InvalidRange DesignatedInvalid CallTooDeep "
            "CreateCollision CreateContractLimit",
            case("InvalidCode", newtype("evm_core::opcode::Opcode", U8), at=15),
            case("OutOfOffset", at=8),
            case("OutOfGas", at=9),
            case("OutOfFund", at=10),
            case("PCUnderflow", at=11),
            case("CreateEmpty", at=12),
            case("Other", str, at=13),
            case("MaxNonce", at=14),
        ),
    ),
    case("Revert", Choice("evm_core::error::ExitRevert", "Reverted")),
    case(
        "Fatal",
        Choice(
            "evm_core::error::ExitFatal",
            "NotSupported UnhandledInterrupt",
            case("Other", str, at=3),
        ),
    ),
)

ETHEREUM: Final = Absent(
    "Ethereum",
    21,
    calls=(call(0, "transact", transaction=TRANSACTION),),
    events=(
        event(
            0,
            "Executed",
            from_=H160,
            to=H160,
            transaction_hash=H256,
            exit_reason=_EXIT,
            extra_data=Bytes,
        ),
    ),
    errors=errors(in_order("InvalidSignature PreLogExists")),
    entries=(
        entries("Pending", several(TRANSACTION, _TRANSACTION_STATUS, _RECEIPT), identity(U32)),
        entries("CounterForPending", U32, default=0),
        entries("CurrentBlock", _BLOCK),
        entries("CurrentReceipts", many(_RECEIPT)),
        entries("CurrentTransactionStatuses", many(_TRANSACTION_STATUS)),
        entries("BlockHash", H256, twox(U256), default=bytes(32)),
    ),
    doc="Transactions signed as on Ethereum.",
)

_RUN: Final = {
    "value": U256,
    "gas_limit": U64,
    "max_fee_per_gas": U256,
    "max_priority_fee_per_gas": optional(U256),
    "nonce": optional(U256),
    "access_list": tuple[tuple[H160, tuple[H256, ...]], ...],
    "authorization_list": _AUTHORIZATIONS,
}

EVM: Final = Absent(
    "EVM",
    22,
    calls=(
        call(0, "withdraw", address=H160, value=Tao),
        call(1, "call", source=H160, target=H160, input=Bytes, **_RUN),
        call(2, "create", source=H160, init=Bytes, **_RUN),
        call(3, "create2", source=H160, init=Bytes, salt=H256, **_RUN),
        call(4, "set_whitelist", new=tuple[H160, ...]),
        call(5, "disable_whitelist", disabled=bool),
    ),
    events=(
        event(0, "Log", log=_LOG),
        event(1, "Created", address=H160),
        event(2, "CreatedFailed", address=H160),
        event(3, "Executed", address=H160),
        event(4, "ExecutedFailed", address=H160),
    ),
    errors=errors(
        in_order(
            "BalanceLow FeeOverflow PaymentOverflow WithdrawFailed GasPriceTooLow InvalidNonce "
            "GasLimitTooLow GasLimitTooHigh InvalidChainId InvalidSignature Reentrancy "
            "TransactionMustComeFromEOA Undefined NotAllowed CreateOriginNotAllowed"
        )
    ),
    entries=(
        entries("AccountCodes", Bytes, blake(H160), default=b""),
        entries(
            "AccountCodesMetadata",
            Struct("pallet_evm::CodeMetadata", size=U64, hash=H256),
            blake(H160),
        ),
        entries("AccountStorages", H256, blake(H160), blake(H256), default=bytes(32)),
        entries("WhitelistedCreators", tuple[H160, ...], default=()),
        entries("DisableWhitelistCheck", bool, default=False),
    ),
    doc="Programs of the Ethereum virtual machine.",
)

EVM_CHAIN_ID: Final = Absent(
    "EVMChainId",
    23,
    entries=(entries("ChainId", U64, default=42),),
    doc="The network's number among Ethereum networks.",
)

_PERMILL: Final = newtype("sp_arithmetic::per_things::Permill", U32)

BASE_FEE: Final = Absent(
    "BaseFee",
    25,
    calls=(
        call(0, "set_base_fee_per_gas", fee=U256),
        call(1, "set_elasticity", elasticity=_PERMILL),
    ),
    events=(
        event(0, "NewBaseFeePerGas", fee=U256),
        event(1, "BaseFeeOverflow"),
        event(2, "NewElasticity", elasticity=_PERMILL),
    ),
    entries=(
        entries("BaseFeePerGas", U256, default=_NO_NUMBER),
        entries("Elasticity", _PERMILL, default=125_000),
    ),
    doc="Price of gas.",
)

_DEPOSIT: Final = Compact[Tao] | None
_DETERMINISM: Final = Choice("pallet_contracts::wasm::Determinism", "Enforced Relaxed")
_LIMIT: Final = {"storage_deposit_limit": _DEPOSIT}

CONTRACTS: Final = Absent(
    "Contracts",
    29,
    calls=(
        call(
            0,
            "call_old_weight",
            dest=Address,
            value=Compact[Tao],
            gas_limit=Compact[U64],
            **_LIMIT,
            data=Bytes,
        ),
        call(
            1,
            "instantiate_with_code_old_weight",
            value=Compact[Tao],
            gas_limit=Compact[U64],
            **_LIMIT,
            code=Bytes,
            data=Bytes,
            salt=Bytes,
        ),
        call(
            2,
            "instantiate_old_weight",
            value=Compact[Tao],
            gas_limit=Compact[U64],
            **_LIMIT,
            code_hash=H256,
            data=Bytes,
            salt=Bytes,
        ),
        call(3, "upload_code", code=Bytes, **_LIMIT, determinism=_DETERMINISM),
        call(4, "remove_code", code_hash=H256),
        call(5, "set_code", dest=Address, code_hash=H256),
        call(6, "call", dest=Address, value=Compact[Tao], gas_limit=Weight, **_LIMIT, data=Bytes),
        call(
            7,
            "instantiate_with_code",
            value=Compact[Tao],
            gas_limit=Weight,
            **_LIMIT,
            code=Bytes,
            data=Bytes,
            salt=Bytes,
        ),
        call(
            8,
            "instantiate",
            value=Compact[Tao],
            gas_limit=Weight,
            **_LIMIT,
            code_hash=H256,
            data=Bytes,
            salt=Bytes,
        ),
        call(9, "migrate", weight_limit=Weight),
    ),
    events=(
        event(0, "Instantiated", deployer=AccountId, contract=AccountId),
        event(1, "Terminated", contract=AccountId, beneficiary=AccountId),
        event(2, "CodeStored", code_hash=H256, deposit_held=Tao, uploader=AccountId),
        event(3, "ContractEmitted", contract=AccountId, data=Bytes),
        event(4, "CodeRemoved", code_hash=H256, deposit_released=Tao, remover=AccountId),
        event(5, "ContractCodeUpdated", contract=AccountId, new_code_hash=H256, old_code_hash=H256),
    ),
    errors=errors(
        in_order(
            "InvalidSchedule InvalidCallFlags OutOfGas OutputBufferTooSmall TransferFailed "
            "MaxCallDepthReached ContractNotFound CodeTooLarge CodeNotFound CodeInfoNotFound OutOfBounds "
            "DecodingFailed ContractTrapped ValueTooLarge TerminatedWhileReentrant InputForwarded "
            "RandomSubjectTooLong TooManyTopics NoChainExtension XCMDecodeFailed DuplicateContract "
            "TerminatedInConstructor ReentranceDenied StateChangeDenied StorageDepositNotEnoughFunds "
            "StorageDepositLimitExhausted CodeInUse ContractReverted CodeRejected Indeterministic "
            "MigrationInProgress NoMigrationPerformed MaxDelegateDependenciesReached "
            "DelegateDependencyNotFound DelegateDependencyAlreadyExists "
            "CannotAddSelfAsDelegateDependency OutOfTransientStorage"
        )
    ),
    entries=(
        entries("PristineCode", BOUNDED_BYTES, identity(H256)),
        entries(
            "CodeInfoOf",
            Struct(
                "pallet_contracts::wasm::CodeInfo",
                owner=AccountId,
                deposit=Compact[Tao],
                refcount=Compact[U64],
                determinism=_DETERMINISM,
                code_len=U32,
            ),
            identity(H256),
        ),
        entries("Nonce", U64, default=0),
        entries(
            "ContractInfoOf",
            Struct(
                "pallet_contracts::storage::ContractInfo",
                trie_id=Bytes,
                code_hash=H256,
                storage_bytes=U32,
                storage_items=U32,
                storage_byte_deposit=Tao,
                storage_item_deposit=Tao,
                storage_base_deposit=Tao,
                delegate_dependencies=dict[H256, Tao],
            ),
            twox(AccountId),
        ),
        entries("DeletionQueue", BOUNDED_BYTES, twox(U32)),
        entries(
            "DeletionQueueCounter",
            Struct(
                "pallet_contracts::storage::DeletionQueueManager",
                insert_counter=U32,
                delete_counter=U32,
            ),
            default=(0, 0),
        ),
        entries("MigrationInProgress", BOUNDED_BYTES),
    ),
    constants=(
        constant("DepositPerByte", Tao, 0),
        constant("DefaultDepositLimit", Tao, 0),
        constant("DepositPerItem", Tao, 0),
        constant("CodeHashLockupDepositPercent", U32, 0),
        constant("MaxCodeLen", U32, 128 * 1024),
        constant("MaxStorageKeyLen", U32, 128),
        constant("MaxTransientStorageSize", U32, 1024 * 1024),
        constant("MaxDelegateDependencies", U32, 32),
        constant("UnsafeUnstableInterface", bool, False),
        constant("MaxDebugBufferLen", U32, 2 * 1024 * 1024),
    ),
    doc="WebAssembly contracts.",
)

ETHEREAL: Final = (ETHEREUM, EVM, EVM_CHAIN_ID, BASE_FEE, CONTRACTS)
