/* The checkout's total follows the chosen way of shipping; without this, "Update the total" does.
 * SPDX-License-Identifier: Apache-2.0 */
"use strict";
(function () {
  var total = document.getElementById("sum-total"), shipping = document.getElementById("sum-shipping");
  var update = document.getElementById("update"), errors = document.getElementById("errors");
  function follow(e) {
    var o = e.target;
    if (o.name !== "shipping_option" || !total || !shipping) return;
    total.textContent = o.dataset.total;
    shipping.textContent = o.dataset.price;
  }
  document.addEventListener("change", follow);
  if (update && total && shipping) update.hidden = true;
  if (errors) errors.focus();
})();
