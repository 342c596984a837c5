/** The page's own HTML: the frame that the script fills. What does not change while it runs is written here. */

export const HEAD = /* HTML */ `
  <meta charset="utf-8" />
  <meta name="viewport" content="width=device-width, initial-scale=1" />
  <meta name="color-scheme" content="light dark" />
  <title>replog</title>
  <link rel="icon" id="icon" href="data:," />
`

export const BODY = /* HTML */ `
  <header class="page-head">
    <h1>replog</h1>
    <span id="cluster" class="cluster"></span>
    <span id="overall" class="overall"></span>
    <p id="banner" class="banner" data-level="good">
      <span id="connection" role="status">Connecting …</span>
      <span id="countdown" hidden></span>
    </p>
  </header>
  <main>
    <p id="refusals" class="reason" hidden></p>
    <noscript><p class="reason">This page shows live figures and needs JavaScript for that.</p></noscript>
    <section aria-labelledby="servers-title">
      <h2 id="servers-title">Servers</h2>
      <div id="servers" class="servers"></div>
    </section>
    <section aria-labelledby="links-title">
      <h2 id="links-title">Replication</h2>
      <div id="links" class="links"></div>
      <p id="no-links" class="note" hidden>No replica follows this server.</p>
    </section>
    <section aria-labelledby="tables-title">
      <h2 id="tables-title">Tables</h2>
      <div class="card tables">
        <table id="tables" hidden>
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col">Rows</th>
              <th scope="col">Version</th>
              <th scope="col">Digest of the rows</th>
            </tr>
          </thead>
          <tbody id="table-rows"></tbody>
        </table>
        <p id="tables-note" class="note"></p>
      </div>
    </section>
  </main>
  <footer>
    <h2>What the marks mean</h2>
    <dl id="legend" class="legend"></dl>
    <p class="note">
      Rates are averages over the last 5 seconds. A sync is one fdatasync of the store: it makes the rows, the
      dictionary and the log of all transactions that wait for it durable at once, so the more transactions share one,
      the better. Servers are asked one after another, so their LSNs are not of one instant; the lag is.
    </p>
  </footer>
`
