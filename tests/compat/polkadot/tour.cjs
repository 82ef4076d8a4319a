// A newcomer's tour with @polkadot/api: connect, read, sign a transfer, decode its block with all events, follow heads.
// Prints one JSON object that the test reads; exits with 1 and the reason when a step fails.
const { ApiPromise, Keyring, WsProvider } = require('@polkadot/api');

const TAO = 1_000_000_000n;

// The type definitions that any chain with 64-bit balances gives its clients are all in the metadata.
async function tour(url) {
  const provider = new WsProvider(url, false);
  await provider.connect();
  const api = await ApiPromise.create({ provider, noInitWarn: true, throwOnConnect: true });
  const found = {};
  const [chain, name, version, health, properties] = await Promise.all([
    api.rpc.system.chain(),
    api.rpc.system.name(),
    api.rpc.system.version(),
    api.rpc.system.health(),
    api.rpc.system.properties(),
  ]);
  found.chain = chain.toString();
  found.name = name.toString();
  found.version = version.toString();
  found.isSyncing = health.isSyncing.isTrue;
  found.symbol = properties.tokenSymbol.unwrap()[0].toString();
  found.specName = api.runtimeVersion.specName.toString();
  found.genesis = api.genesisHash.toHex();
  found.existentialDeposit = api.consts.balances.existentialDeposit.toString();

  const keyring = new Keyring({ type: 'sr25519', ss58Format: 42 });
  const [bob, dave] = ['//Bob', '//Dave'].map((uri) => keyring.addFromUri(uri));
  const free = async (who) => (await api.query.system.account(who.address)).data.free.toBigInt();
  const before = [await free(bob), await free(dave)];

  const transfer = api.tx.balances.transferKeepAlive(dave.address, 3n * TAO);
  found.quoted = (await transfer.paymentInfo(bob)).partialFee.toString();
  const done = await new Promise((resolve, reject) => {
    transfer
      .signAndSend(bob, (result) => {
        if (result.isFinalized) resolve(result);
        if (result.isError || result.dispatchError) reject(new Error(String(result.dispatchError ?? result.status)));
      })
      .catch(reject);
  });
  const blockHash = done.status.asFinalized;
  const after = [await free(bob), await free(dave)];
  found.received = (after[1] - before[1]).toString();
  found.spent = (before[0] - after[0]).toString();

  const { block } = await api.rpc.chain.getBlock(blockHash);
  const at = await api.at(blockHash);
  const events = await at.query.system.events();
  const index = block.extrinsics.findIndex((xt) => xt.hash.eq(transfer.hash));
  found.number = block.header.number.toNumber();
  found.calls = block.extrinsics.map(({ method }) => `${method.section}.${method.method}`);
  found.signer = block.extrinsics[index].signer.toString();
  found.events = events
    .filter(({ phase }) => phase.isApplyExtrinsic && phase.asApplyExtrinsic.eq(index))
    .map(({ event }) => `${event.section}.${event.method}`);
  found.fee = events
    .find(({ event }) => api.events.transactionPayment.TransactionFeePaid.is(event))
    .event.data.actualFee.toString();
  found.parent = (await api.rpc.chain.getHeader(block.header.parentHash)).number.toNumber();

  found.refused = await new Promise((resolve) => {
    const poor = keyring.addFromUri('//Nobody');
    api.tx.balances.transferKeepAlive(dave.address, 1n).signAndSend(poor, () => {}).then(
      () => resolve('accepted'),
      (error) => resolve(String(error.message)),
    );
  });
  found.failed = await new Promise((resolve, reject) => {
    api.tx.balances
      .transferKeepAlive(dave.address, 10n ** 18n)
      .signAndSend(bob, ({ isFinalized, dispatchError }) => {
        if (!isFinalized) return;
        if (!dispatchError) return resolve('succeeded');
        resolve(dispatchError.isModule ? api.registry.findMetaError(dispatchError.asModule).name : dispatchError.toString());
      })
      .catch(reject);
  });

  found.heads = await new Promise((resolve, reject) => {
    const numbers = [];
    api.rpc.chain
      .subscribeNewHeads((head) => {
        numbers.push(head.number.toNumber());
        if (numbers.length === 3) resolve(numbers);
      })
      .catch(reject);
  });
  found.all = await new Promise((resolve, reject) => {
    api.rpc.chain.subscribeAllHeads((head) => resolve(head.number.toNumber())).catch(reject);
  });
  const multi = await api.query.system.account.multi([bob.address, dave.address]);
  found.multi = multi.map(({ data }) => data.free.toString());
  found.networks = (await api.query.subtensorModule.networksAdded.entries()).map(([key]) => key.args[0].toNumber());
  found.nonce = (await api.rpc.system.accountNextIndex(bob.address)).toNumber();
  await api.disconnect();
  return found;
}

tour(process.argv[2]).then(
  (found) => process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0)),
  (error) => {
    process.stderr.write(`${error.stack}\n`, () => process.exit(1));
  },
);
