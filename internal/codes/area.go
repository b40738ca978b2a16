package codes

// Areas are the authorities that have a name here: those of London. Any other English authority
// is an area too (IsArea), and is told by its code.
func Areas() List {
	return List{
		{"E09000001", "City of London", ons},
		{"E09000002", "Barking and Dagenham", ons},
		{"E09000003", "Barnet", ons},
		{"E09000004", "Bexley", ons},
		{"E09000005", "Brent", ons},
		{"E09000006", "Bromley", ons},
		{"E09000007", "Camden", ons},
		{"E09000008", "Croydon", ons},
		{"E09000009", "Ealing", ons},
		{"E09000010", "Enfield", ons},
		{"E09000011", "Greenwich", ons},
		{"E09000012", "Hackney", ons},
		{"E09000013", "Hammersmith and Fulham", ons},
		{"E09000014", "Haringey", ons},
		{"E09000015", "Harrow", ons},
		{"E09000016", "Havering", ons},
		{"E09000017", "Hillingdon", ons},
		{"E09000018", "Hounslow", ons},
		{"E09000019", "Islington", ons},
		{"E09000020", "Kensington and Chelsea", ons},
		{"E09000021", "Kingston upon Thames", ons},
		{"E09000022", "Lambeth", ons},
		{"E09000023", "Lewisham", ons},
		{"E09000024", "Merton", ons},
		{"E09000025", "Newham", ons},
		{"E09000026", "Redbridge", ons},
		{"E09000027", "Richmond upon Thames", ons},
		{"E09000028", "Southwark", ons},
		{"E09000029", "Sutton", ons},
		{"E09000030", "Tower Hamlets", ons},
		{"E09000031", "Waltham Forest", ons},
		{"E09000032", "Wandsworth", ons},
		{"E09000033", "Westminster", ons},
	}
}

const ons = "ONS GSS codes"
